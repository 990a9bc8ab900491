//! `watch`: follows a sweep until it ends.

use std::time::Duration;

use clap::Args;
use vico::ids::SweepId;
use vico::protocol::Connect;

use crate::cli::exit::Result;
use crate::cli::output::Output;
use crate::cli::{view, wait};

/// Follows a sweep; leaving with Ctrl-C does not stop it.
#[derive(Debug, Args)]
pub(super) struct Watch {
    /// The sweep
    sweep: SweepId,
    /// Stop waiting after this long, e.g. `90s` or `2h`
    #[arg(long, value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    connect: Connect,
}

impl Watch {
    pub(super) async fn execute(self, out: Output) -> Result {
        let last = wait::follow(&self.connect.client()?, &self.sweep, self.timeout, out).await?;
        view::status(out, &last)?;
        wait::verdict(&last)
    }
}
