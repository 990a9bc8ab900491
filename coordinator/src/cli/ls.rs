//! `ls`: the sweeps of a coordinator.

use clap::Args;
use vico::protocol::Connect;

use crate::cli::exit::Result;
use crate::cli::output::{self, Output};
use crate::cli::view;

/// Lists sweeps, latest first.
#[derive(Debug, Args)]
pub(super) struct Ls {
    #[command(flatten)]
    connect: Connect,
}

impl Ls {
    pub(super) async fn execute(self, out: Output) -> Result {
        let sweeps = self.connect.client()?.list().await?;
        if out.is_json() {
            return output::json(&sweeps);
        }
        output::table(view::SWEEP_HEADER, sweeps.iter().map(view::sweep_row))
    }
}
