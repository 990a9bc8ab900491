//! Where a coordinator is, what it must prove, and what it is shown.

use std::path::PathBuf;

use super::ClientError;

/// A coordinator's address and the credentials for it. A bare address needs none.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// `http://host:port`, or `https://host:port` for TLS. Several, separated by commas, are coordinators of one bucket, of
    /// which one serves and the others stand by.
    pub url: String,
    /// What TLS goes by; of no meaning for `http://`.
    pub tls: TlsFiles,
    /// Shown with every request.
    pub token: Option<Token>,
}

/// PEM files for TLS. They are read again for every connection, so that renewed ones are taken up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Who may vouch for the coordinator; this machine's authorities by default.
    pub ca: Option<PathBuf>,
    /// Where the coordinator asks for a certificate.
    pub identity: Option<Identity>,
}

impl TlsFiles {
    /// As options name them; half of an identity is none.
    pub fn given(ca: Option<PathBuf>, cert: Option<PathBuf>, key: Option<PathBuf>) -> Self {
        let identity = cert.zip(key).map(|(cert, key)| Identity { cert, key });
        Self { ca, identity }
    }
}

/// What a client proves who it is with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, followed by those between it and the authority.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A bearer token.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// As it is.
    Text(String),
    /// A file that holds it; read for every request, so that a renewed one is taken up.
    File(PathBuf),
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Token(…)"),
            Self::File(path) => write!(f, "Token({})", path.display()),
        }
    }
}

impl Token {
    /// The file where one is named, else what `VICO_TOKEN` says.
    pub fn given(file: Option<PathBuf>) -> Option<Self> {
        let in_environment = || {
            let token = std::env::var("VICO_TOKEN").ok()?;
            (!token.trim().is_empty()).then_some(Self::Text(token))
        };
        file.map(Self::File).or_else(in_environment)
    }

    /// The token without the line end that editors leave.
    pub(super) fn read(&self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text.trim().to_owned()),
            Self::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(text.trim().to_owned()),
                Err(error) => Err(format!(
                    "the token file {} cannot be read: {error}",
                    path.display()
                )),
            },
        }
    }
}

impl Target {
    /// The addresses, with a scheme where none is written. There is at least one.
    pub(super) fn urls(&self) -> Vec<String> {
        let full = |url: &str| {
            let scheme = if url.contains("://") { "" } else { "http://" };
            format!("{scheme}{url}")
        };
        self.url.split(',').map(|url| full(url.trim())).collect()
    }

    /// Whether the scheme asks for the files.
    pub(super) fn wants_tls(&self) -> bool {
        self.urls().iter().any(|url| is_https(url))
    }

    /// Refuses credentials that would not be used: whoever gives them expects them to protect.
    pub(super) fn check(&self) -> Result<(), ClientError> {
        if self.wants_tls() && !self.urls().iter().all(|url| is_https(url)) {
            return Err(ClientError::Credentials {
                reason: format!("`{}` would encrypt some connections and not others", self.url),
            });
        }
        if self.tls != TlsFiles::default() && !self.wants_tls() {
            return Err(ClientError::Credentials {
                reason: format!("TLS files are of no use for `{}`: write https://", self.url),
            });
        }
        Ok(())
    }
}

fn is_https(url: &str) -> bool {
    url.starts_with("https://")
}

impl From<&str> for Target {
    fn from(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..Self::default()
        }
    }
}

impl From<&String> for Target {
    fn from(url: &String) -> Self {
        url.as_str().into()
    }
}

impl From<&Target> for Target {
    fn from(target: &Target) -> Self {
        target.clone()
    }
}
