//! The options by which a program reaches the coordinator.

use std::path::PathBuf;

use clap::Args;

use super::{ClientError, SweepsClient, Target, TlsFiles, Token};

/// Where the coordinator is, and what it is shown: the options of a worker and of every verb that asks a coordinator. A token
/// is never an argument: arguments are seen by everybody on the machine.
#[derive(Debug, Args)]
pub struct Connect {
    /// Address of the coordinator; https://… for TLS. Where others stand by for it: all addresses, with commas between.
    #[arg(
        long,
        env = "VICO_COORDINATOR",
        default_value = "http://127.0.0.1:7717",
        value_name = "URL"
    )]
    coordinator: String,
    /// Who vouches for the coordinator: PEM certificates [default: this machine's authorities].
    #[arg(long, env = "VICO_TLS_CA", value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// This client's certificate, where the coordinator asks for one.
    #[arg(long, env = "VICO_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert.
    #[arg(long, env = "VICO_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// File that holds the token; the token itself may stand in VICO_TOKEN.
    #[arg(long, env = "VICO_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Connect {
    /// A client that connects at its first request.
    ///
    /// # Errors
    /// The address or the credentials make no sense.
    pub fn client(&self) -> Result<SweepsClient, ClientError> {
        SweepsClient::new(self.target())
    }

    /// Where, and with what.
    pub fn target(&self) -> Target {
        let (ca, cert, key) = (&self.tls_ca, &self.tls_cert, &self.tls_key);
        Target {
            url: self.coordinator.clone(),
            tls: TlsFiles::given(ca.clone(), cert.clone(), key.clone()),
            token: Token::given(self.token_file.clone()),
        }
    }
}
