//! A certificate authority of our own, and files as a deployment would mount them.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use vico::protocol::{Identity, Target, TlsFiles as ClientFiles, Token};
use vico_coord::TlsFiles;

/// Signs certificates and keeps them in files.
pub(crate) struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// An authority whose files lie in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        let folder = folder.to_path_buf();
        Self { folder, issuer }
    }

    /// Its own certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A new certificate for this machine, in files of that name; the serial number tells one from another.
    pub(crate) fn issue(&self, name: &str, years: std::ops::Range<i32>) -> (PathBuf, PathBuf) {
        let mut params =
            CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let file = |ending: &str| self.folder.join(format!("{name}.{ending}"));
        std::fs::write(file("crt"), cert.pem()).unwrap();
        std::fs::write(file("key"), key.serialize_pem()).unwrap();
        (file("crt"), file("key"))
    }

    /// What a server needs.
    pub(crate) fn server(&self) -> TlsFiles {
        let (cert, key) = self.issue("server", 2000..4000);
        let client_ca = None;
        TlsFiles { cert, key, client_ca }
    }

    /// A client that trusts this authority.
    pub(crate) fn target(&self, url: &str, token: &str) -> Target {
        let tls = ClientFiles {
            ca: Some(self.ca()),
            identity: None,
        };
        Target {
            url: url.replace("http://", "https://"),
            tls,
            token: (!token.is_empty()).then(|| Token::Text(token.to_owned())),
        }
    }
}

/// The same, with a certificate to show.
pub(crate) fn showing(target: Target, (cert, key): (PathBuf, PathBuf)) -> Target {
    let tls = ClientFiles {
        identity: Some(Identity { cert, key }),
        ..target.tls
    };
    Target { tls, ..target }
}
