//! `logs`: what a job's attempts wrote.

use clap::Args;
use vico::protocol::Connect;

use crate::cli::exit::{Error, Result};
use crate::cli::output::{self, Output};
use crate::cli::signals;

/// Shows the log lines of a job.
#[derive(Debug, Args)]
pub(super) struct Logs {
    /// The job: its key or the first digits of it
    job: String,
    /// Go on until the job ends
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Logs {
    pub(super) async fn execute(self, out: Output) -> Result {
        tokio::select! {
            done = self.print(out) => done,
            () = signals::stop_asked() => Err(Error::Interrupted("the job goes on")),
        }
    }

    async fn print(&self, out: Output) -> Result {
        let mut log = self.connect.client()?.logs(&self.job, self.follow).await?;
        while let Some(line) = log.next().await? {
            if out.is_json() {
                // One document a line, so that a reader need not wait for the end.
                output::line(serde_json::json!(line))?;
            } else {
                output::line(format_args!(
                    "{} {} #{} {}",
                    line.at, line.worker, line.attempt, line.text
                ))?;
            }
        }
        Ok(())
    }
}
