//! `cancel`: ends a sweep.

use clap::Args;
use vico::ids::SweepId;
use vico::protocol::Connect;

use crate::cli::exit::Result;
use crate::cli::output::Output;
use crate::cli::view;

/// Cancels the jobs of a sweep that no other sweep wants; receipts stay.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The sweep
    sweep: SweepId,
    #[command(flatten)]
    connect: Connect,
}

impl Cancel {
    pub(super) async fn execute(self, out: Output) -> Result {
        let status = self.connect.client()?.cancel(&self.sweep).await?;
        view::status(out, &status)
    }
}
