//! A sweep's statuses as they change.

use std::pin::Pin;
use std::time::Duration;

use futures::Stream;
use futures::stream;
use tonic::Status;
use vico::ids::SweepId;
use vico::status::SweepStatus;
use vico_proto::v1 as pb;

use super::Services;

/// At most four statuses a second.
const SHORTEST_WAIT: Duration = Duration::from_millis(250);
/// Estimates move even if nothing happens.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// After this long people stop waiting for results that cannot be written.
const PUBLISH_PATIENCE: Duration = Duration::from_mins(2);

/// What `WatchSweep` answers with.
pub(crate) type WatchStream = Pin<Box<dyn Stream<Item = Result<pb::SweepStatus, Status>> + Send>>;

struct Watch {
    services: Services,
    sweep: SweepId,
    shown: Option<SweepStatus>,
    ended: bool,
}

/// A status now and after every change, until the sweep has ended and its results are written.
pub(super) fn watch(services: Services, sweep: SweepId) -> WatchStream {
    let watch = Watch {
        services,
        sweep,
        shown: None,
        ended: false,
    };
    Box::pin(stream::unfold(watch, async |mut watch| {
        let next = watch.next().await?;
        Some((next, watch))
    }))
}

impl Watch {
    async fn next(&mut self) -> Option<Result<pb::SweepStatus, Status>> {
        let mut changes = self.services.handle.changes();
        while !self.ended {
            if self.shown.is_some() {
                tokio::time::sleep(SHORTEST_WAIT).await;
            }
            changes.mark_unchanged();
            match self.look().await {
                Ok((status, ended)) => {
                    self.ended = ended;
                    if self.shown.as_ref() != Some(&status) {
                        self.shown = Some(status.clone());
                        return Some(Ok(status.into()));
                    }
                    if ended {
                        // Nothing will come that could be waited for.
                        break;
                    }
                }
                Err(refusal) => {
                    self.ended = true;
                    return Some(Err(refusal.into()));
                }
            }
            // A closed channel means a stopped actor, which the next look will say.
            _ = tokio::time::timeout(LONGEST_WAIT, changes.changed()).await;
        }
        None
    }

    /// The status, and whether it is the last.
    async fn look(&self) -> Result<(SweepStatus, bool), vico::protocol::Refusal> {
        let sweep = self.sweep.clone();
        let seen = self.services.handle.look(move |brain, now| {
            let status = brain.sweep_status(&sweep, now)?;
            let waited = status.finished.map(|finished| now.since(finished));
            let published = !brain.unpublished().any(|id| *id == sweep);
            let patient = waited.is_some_and(|waited| waited < PUBLISH_PATIENCE);
            let ended = status.state.has_ended() && (published || !patient);
            Ok::<_, crate::core::Refusal>((status, ended))
        });
        Ok(seen.await??)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use futures::StreamExt as _;
    use tokio::time::{Instant, sleep};
    use tokio_util::sync::CancellationToken;
    use vico::store::{LongestTail, Store};

    use super::*;
    use crate::config::Parts;
    use crate::core::Command;
    use crate::metrics::Meters;
    use crate::office::{Office, Opening};
    use crate::rehearsal::staged;

    /// Everything but the port.
    async fn services(stop: &CancellationToken) -> Services {
        let parts = Parts::new(Store::in_memory());
        let opening = Opening {
            parts: parts.clone(),
            writer: "test",
            lease_ttl: Duration::from_secs(30),
            longest_tail: LongestTail::default(),
            meters: Meters::default(),
        };
        let staff = Office::open(opening).await.unwrap().start(stop.clone());
        let services = Services::new(staff.handle.clone(), &parts, &staff.logs, stop);
        tokio::spawn(staff.work());
        services
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_as_soon_as_results_are_written_and_not_before() {
        let stop = CancellationToken::new();
        let services = services(&stop).await;
        let mut sweep = staged::sweep("s".parse().unwrap(), staged::chain("s", "m", 0).into());
        sweep.done = sweep.jobs.iter().map(|job| job.key).collect();
        let id = sweep.id.clone();
        let handle = services.handle.clone();
        handle.command(Command::AddSweep(sweep)).await.unwrap();
        let watching = tokio::spawn(watch(services, id.clone()).collect::<Vec<_>>());
        // There is no plan in the bucket, so the results cannot be written.
        sleep(Duration::from_secs(21)).await;
        assert!(!watching.is_finished());
        let written = Instant::now();
        handle.command(Command::Published(id)).await.unwrap();
        let shown = watching.await.unwrap();
        assert!(written.elapsed() <= 2 * SHORTEST_WAIT, "{:?}", written.elapsed());
        assert_eq!(shown.len(), 1, "nothing to see has changed");
    }
}
