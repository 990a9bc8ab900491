//! Waiting for a sweep to end, through restarts of its coordinator.

use std::time::Duration;

use vico::ids::SweepId;
use vico::protocol::{ClientError, SweepsClient};
use vico::status::{SweepState, SweepStatus};

use crate::cli::exit::{Error, Result};
use crate::cli::output::Output;
use crate::cli::progress::Display;
use crate::cli::signals;

/// A coordinator that restarts elsewhere is back within this time; after it, nobody will answer.
const PATIENCE: Duration = Duration::from_mins(1);
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// Shows a sweep until it ends. Ctrl-C and `timeout` end the watching, not the sweep.
pub(crate) async fn follow(
    client: &SweepsClient,
    sweep: &SweepId,
    timeout: Option<Duration>,
    out: Output,
) -> Result<SweepStatus> {
    let mut display = Display::new(out);
    tokio::select! {
        ended = until_end(client, sweep, &mut display) => ended,
        waited = elapsed(timeout) => {
            let waited = humantime::format_duration(waited);
            Err(Error::TimedOut { sweep: sweep.clone(), waited })
        }
        () = signals::stop_asked() => Err(Error::Interrupted("the sweep goes on")),
    }
}

/// Shows a sweep until it ends, and connects again after every break.
pub(crate) async fn until_end(
    client: &SweepsClient,
    sweep: &SweepId,
    display: &mut Display,
) -> Result<SweepStatus> {
    let mut tries_left = tries();
    loop {
        match until_break(client, sweep, display, &mut tries_left).await {
            Ok(Some(last)) => return Ok(last),
            Err(error) if !error.is_transient() || tries_left == 0 => return Err(error.into()),
            Ok(None) | Err(_) => {
                if tries_left == tries() {
                    display.note("the coordinator is gone; waiting for it to come back");
                }
                tries_left = tries_left.saturating_sub(1);
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
        }
    }
}

fn tries() -> u64 {
    PATIENCE.as_secs() / BETWEEN_TRIES.as_secs()
}

/// Shows statuses until the sweep ends (`Some`) or the stream does (`None`).
async fn until_break(
    client: &SweepsClient,
    sweep: &SweepId,
    display: &mut Display,
    tries_left: &mut u64,
) -> std::result::Result<Option<SweepStatus>, ClientError> {
    let mut watch = client.watch(sweep).await?;
    let mut last = None;
    // The stream outlives the last job: it ends when the results lie in the bucket, which whoever waits wants to read.
    while let Some(status) = watch.next().await? {
        *tries_left = tries();
        display.show(&status);
        last = Some(status);
    }
    Ok(last.filter(|status| status.state.has_ended()))
}

async fn elapsed(timeout: Option<Duration>) -> Duration {
    match timeout {
        Some(timeout) => {
            tokio::time::sleep(timeout).await;
            timeout
        }
        None => std::future::pending().await,
    }
}

/// The end of a sweep as the end of a command.
pub(crate) fn verdict(status: &SweepStatus) -> Result {
    match status.state {
        SweepState::Succeeded | SweepState::Running => Ok(()),
        SweepState::Cancelled => Err(Error::Cancelled(status.sweep.clone())),
        SweepState::Failed => Err(Error::JobsFailed {
            sweep: status.sweep.clone(),
            failed: status.total(|stage| stage.failed),
        }),
    }
}
