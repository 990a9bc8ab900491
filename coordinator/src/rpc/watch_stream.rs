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
