//! `retry`: gives failed jobs a fresh budget of attempts.

use clap::Args;
use vico::ids::SweepId;
use vico::job::FailureClass;
use vico::protocol::Connect;

use crate::cli::exit::Result;
use crate::cli::output::Output;
use crate::cli::view;

/// Makes the failed and cancelled jobs of a sweep ready again, and those that waited for them.
#[derive(Debug, Args)]
pub(super) struct Retry {
    /// The sweep
    sweep: SweepId,
    /// Required, so that nobody expects finished jobs to run again
    #[arg(long, required = true)]
    failed: bool,
    /// Only failures of this class, e.g. `out_of_memory`
    #[arg(long)]
    class: Option<FailureClass>,
    #[command(flatten)]
    connect: Connect,
}

impl Retry {
    pub(super) async fn execute(self, out: Output) -> Result {
        let status = self.connect.client()?.retry(&self.sweep, self.class).await?;
        view::status(out, &status)
    }
}
