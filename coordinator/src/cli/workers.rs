//! `workers`: who computes, and who shall not.

use clap::{Args, Subcommand};
use vico::ids::WorkerId;
use vico::protocol::Connect;
use vico::status::WorkerStatus;

use crate::cli::exit::Result;
use crate::cli::output::{self, Output};
use crate::cli::view;

/// Lists workers with their device, their jobs and why they get no work, if they get none.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Workers {
    #[command(subcommand)]
    wish: Option<Wish>,
    #[command(flatten)]
    connect: Connect,
}

/// What shall become of a worker.
#[derive(Debug, Subcommand)]
enum Wish {
    /// Give a worker no new work; it ends what it has. Holds until `uncordon`, also if it or the coordinator starts anew
    Cordon(Named),
    /// Let a cordoned worker have work again
    Uncordon(Named),
    /// Let a worker store its checkpoints, give back its jobs and end; others go on where it stopped
    Drain(Named),
}

#[derive(Debug, Args)]
struct Named {
    /// The worker, as the list shows it
    worker: WorkerId,
    #[command(flatten)]
    connect: Connect,
}

impl Workers {
    /// Does what is wished, and lists the workers as they are then.
    pub(super) async fn execute(self, out: Output) -> Result {
        let workers = match &self.wish {
            None => self.connect.client()?.workers().await?,
            Some(wish) => wish.fulfil().await?,
        };
        if out.is_json() {
            return output::json(&workers);
        }
        output::table(view::WORKER_HEADER, workers.iter().map(view::worker_row))
    }
}

impl Wish {
    async fn fulfil(&self) -> Result<Vec<WorkerStatus>> {
        let (Self::Cordon(Named { worker, connect })
        | Self::Uncordon(Named { worker, connect })
        | Self::Drain(Named { worker, connect })) = self;
        let client = connect.client()?;
        match self {
            Self::Cordon(_) => client.cordon(worker).await?,
            Self::Uncordon(_) => client.uncordon(worker).await?,
            Self::Drain(_) => client.drain(worker).await?,
        }
        Ok(client.workers().await?)
    }
}
