//! Where the coordinator is.

use clap::Args;
use vico::protocol::SweepsClient;

use crate::cli::exit::Result;

/// The option that every verb of a client has.
#[derive(Debug, Args)]
pub(super) struct Connect {
    /// Address of the coordinator
    #[arg(
        long,
        env = "VICO_COORDINATOR",
        default_value = "http://127.0.0.1:7717",
        value_name = "URL"
    )]
    coordinator: String,
}

impl Connect {
    /// A client that connects at its first request.
    pub(super) fn client(&self) -> Result<SweepsClient> {
        Ok(SweepsClient::new(&self.coordinator)?)
    }
}
