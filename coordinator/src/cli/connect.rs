//! Where the coordinator is, and what it is shown.

use std::path::PathBuf;

use clap::Args;
use vico::protocol::{SweepsClient, Target, TlsFiles, Token};

use crate::cli::exit::Result;

/// The options that every verb of a client has. A token is never an argument: arguments are seen by everybody on the machine.
#[derive(Debug, Args)]
pub(super) struct Connect {
    /// Address of the coordinator; https://… for TLS. Where others stand by for it: all addresses, with commas between
    #[arg(
        long,
        env = "VICO_COORDINATOR",
        default_value = "http://127.0.0.1:7717",
        value_name = "URL"
    )]
    coordinator: String,
    /// Who vouches for the coordinator: PEM certificates [default: this machine's authorities]
    #[arg(long, env = "VICO_TLS_CA", value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// This client's certificate, where the coordinator asks for one
    #[arg(long, env = "VICO_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert
    #[arg(long, env = "VICO_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// File that holds the token; the token itself may stand in VICO_TOKEN
    #[arg(long, env = "VICO_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Connect {
    /// A client that connects at its first request.
    pub(super) fn client(&self) -> Result<SweepsClient> {
        Ok(SweepsClient::new(self.target())?)
    }

    /// Where, and with what.
    pub(super) fn target(&self) -> Target {
        let (ca, cert, key) = (&self.tls_ca, &self.tls_cert, &self.tls_key);
        Target {
            url: self.coordinator.clone(),
            tls: TlsFiles::given(ca.clone(), cert.clone(), key.clone()),
            token: Token::given(self.token_file.clone()),
        }
    }
}
