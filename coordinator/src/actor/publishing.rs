//! The results of sweeps that have ended: written of several sweeps at a time, and again where that failed.

use std::time::Duration;

use tokio::time::Instant;
use vico::clock::Timestamp;
use vico::ids::SweepId;
use vico::job::JobState;
use vico::report::FailedJob;

use super::Actor;
use super::message::Ended;
use super::tasks::survived;
use crate::core::Command;
use crate::publish;

/// Sweeps whose results are written at a time. The store bounds the files that are on their way, whatever sweeps they are of;
/// this bounds the plans and receipts in memory, and still lets small sweeps pass a few large ones.
const AT_A_TIME: usize = 8;
/// Before results that could not be written are tried again.
const PUBLISH_AGAIN: Duration = Duration::from_secs(30);

/// Where the writing of a sweep's results stands.
pub(super) enum Publishing {
    UnderWay,
    /// It failed, and is tried again then. Meanwhile it keeps nobody waiting.
    Failed {
        again: Instant,
    },
}

impl Actor {
    /// Begins to write the results of as many sweeps as there is room for. Those go first that ended first, and what has
    /// failed before comes after what was never tried: it may fail for ever.
    pub(super) fn publish_what_is_due(&mut self) {
        let stands = self.publishing.values();
        let under_way = stands.filter(|stands| matches!(stands, Publishing::UnderWay));
        let room = AT_A_TIME.saturating_sub(under_way.count());
        if room == 0 {
            return;
        }
        let due = self.brain.unpublished().filter(|sweep| self.may_publish(sweep));
        let mut due: Vec<(bool, Option<Timestamp>, SweepId)> = due
            .map(|sweep| {
                let has_failed = self.publishing.contains_key(sweep);
                (has_failed, self.finished(sweep), sweep.clone())
            })
            .collect();
        due.sort_unstable();
        for (_, finished, sweep) in due.into_iter().take(room) {
            self.begin_to_publish(sweep, finished);
        }
    }

    /// `finished` is when the sweep had ended as the results will have it.
    fn begin_to_publish(&mut self, sweep: SweepId, finished: Option<Timestamp>) {
        self.publishing.insert(sweep.clone(), Publishing::UnderWay);
        let store = self.parts.store.clone();
        let failures = self.failures(&sweep);
        self.tasks.spawn(async move {
            let outcome = survived(publish::publish(&store, &sweep, failures)).await;
            Ended::Publish {
                sweep,
                finished,
                outcome,
            }
        });
    }

    fn failures(&self, sweep: &SweepId) -> Vec<FailedJob> {
        let jobs = self
            .brain
            .sweep_detail(sweep, self.now())
            .map_or_else(|_| Vec::new(), |detail| detail.jobs);
        let failed = jobs
            .into_iter()
            .filter(|job| matches!(job.state, JobState::Failed | JobState::Aborted));
        let told = failed.map(|job| FailedJob {
            label: job.label,
            reason: job.reason.unwrap_or_default(),
        });
        told.collect()
    }

    fn finished(&self, sweep: &SweepId) -> Option<Timestamp> {
        self.brain.state.sweep(sweep).and_then(|sweep| sweep.finished)
    }

    fn may_publish(&self, sweep: &SweepId) -> bool {
        match self.publishing.get(sweep) {
            None => true,
            Some(Publishing::UnderWay) => false,
            Some(Publishing::Failed { again }) => *again <= Instant::now(),
        }
    }

    /// `finished` is when the sweep had ended as the results have it. The next sweep takes its place at once.
    pub(super) fn published(
        &mut self,
        sweep: SweepId,
        finished: Option<Timestamp>,
        outcome: Option<Result<(), publish::Error>>,
    ) {
        match outcome {
            Some(Ok(())) => {
                self.publishing.remove(&sweep);
                // It may have been retried meanwhile; then what was written is out of date.
                if self.finished(&sweep) == finished {
                    tracing::info!(%sweep, "results are published");
                    _ = self.execute(&Command::Published(sweep));
                }
            }
            Some(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(%sweep, error, "results could not be published; trying again");
                self.publish_later(sweep);
            }
            None => {
                tracing::error!(%sweep, "the writing of results panicked; trying again");
                self.publish_later(sweep);
            }
        }
        self.publish_what_is_due();
        self.announce();
    }

    fn publish_later(&mut self, sweep: SweepId) {
        let again = Instant::now() + PUBLISH_AGAIN;
        self.publishing.insert(sweep, Publishing::Failed { again });
    }
}
