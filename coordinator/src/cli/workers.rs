//! `workers`: who computes.

use clap::Args;

use crate::cli::connect::Connect;
use crate::cli::exit::Result;
use crate::cli::output::{self, Output};
use crate::cli::view;

/// Lists workers with their device, their jobs and why they get no work, if they get none.
#[derive(Debug, Args)]
pub(super) struct Workers {
    #[command(flatten)]
    connect: Connect,
}

impl Workers {
    pub(super) async fn execute(self, out: Output) -> Result {
        let workers = self.connect.client()?.workers().await?;
        if out.is_json() {
            return output::json(&workers);
        }
        output::table(view::WORKER_HEADER, workers.iter().map(view::worker_row))
    }
}
