//! What time brings: expiry, forgetting, and the results of sweeps that have ended.

use std::time::Duration;

use tokio::time::Instant;
use vico::clock::Timestamp;
use vico::ids::SweepId;
use vico::job::JobState;
use vico::report::FailedJob;

use super::Actor;
use super::message::Ended;
use super::tasks::survived;
use crate::core::event::Next;
use crate::core::state::Job;
use crate::core::{Command, Event};
use crate::publish;

/// Before results that could not be written are tried again.
const PUBLISH_AGAIN: Duration = Duration::from_secs(30);
/// A busy machine may keep this task waiting for so long, however short leases are.
const LATENESS: Duration = Duration::from_secs(1);

/// Where the writing of a sweep's results stands.
pub(super) enum Publishing {
    UnderWay,
    /// It failed, and is tried again then.
    Failed {
        again: Instant,
    },
}

impl Actor {
    /// Between two looks at the clock passes a tick at most, unless this process was stopped, the machine slept or somebody
    /// set the clock. Then nobody was heard for a while, or nobody knows for how long, and silence counts from here.
    ///
    /// What is less than the time between two renewals of a lease costs nobody more than one that was lost.
    pub(super) fn watch_clock(&mut self) {
        let now = self.now();
        let before = self.looked.replace(now);
        if let Some(before) = before {
            let strayed = now.since(before).max(before.since(now));
            if strayed <= (self.brain.settings.lease_ttl / 3).max(LATENESS) {
                return;
            }
            tracing::warn!(%before, %now, "the clock jumped or this process stood still: silence of workers counts from here");
        }
        let next = self.brain.state.next_lease();
        self.brain.floor.reopen(next, (before.unwrap_or(now), now));
    }

    pub(super) fn tick(&mut self) {
        // Whoever spoke in time is heard in time, however late this task comes to it.
        self.receive_waiting(self.inbox.len());
        let now = self.now();
        // A back-off may be over, a worker may have fallen silent.
        self.place_again = true;
        self.copy_again = true;
        _ = self.execute(&Command::Tick);
        let state = &self.brain.state;
        self.brain
            .floor
            .tidy(|lease| state.leased_job(lease).is_some(), now);
        self.publish_what_is_due();
    }

    fn publish_what_is_due(&mut self) {
        let due: Vec<SweepId> = self
            .brain
            .unpublished()
            .filter(|sweep| self.may_publish(sweep))
            .cloned()
            .collect();
        for sweep in due {
            self.publishing.insert(sweep.clone(), Publishing::UnderWay);
            let store = self.parts.store.clone();
            let finished = self.finished(&sweep);
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

    /// `finished` is when the sweep had ended as the results have it.
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
        self.announce();
    }

    fn publish_later(&mut self, sweep: SweepId) {
        let again = Instant::now() + PUBLISH_AGAIN;
        self.publishing.insert(sweep, Publishing::Failed { again });
    }

    fn close_logs<'a>(&self, ended: impl IntoIterator<Item = &'a Job>) {
        for job in ended {
            for tried in job.tries() {
                self.logs.close((job.key, tried.attempt));
            }
        }
    }

    /// Tells the attempt's log and the process's own.
    pub(super) fn log(&self, event: &Event) {
        match event {
            Event::AttemptFailed {
                job,
                lease,
                failure,
                next,
                at,
            } => {
                let Some(known) = self.brain.state.job(*job) else {
                    return;
                };
                let Some(tried) = known.try_of(*lease) else {
                    return;
                };
                let line = format!("attempt failed: {}: {}", failure.class, failure.message);
                self.logs.append((*job, tried.attempt), &[line], *at);
                self.logs.close((*job, tried.attempt));
                let (class, message, gave_up) =
                    (failure.class.as_str(), &failure.message, *next == Next::GiveUp);
                let label = self.brain.state.label(known);
                let sweep = self.brain.state.listing(known).next().map(|sweep| &sweep.id);
                tracing::warn!(sweep = sweep.map(tracing::field::display), job = %job.0.short(), attempt = %tried.attempt, worker = %tried.worker, label, class, message, gave_up, "attempt failed");
            }
            Event::AttemptReturned { job, lease, .. } => {
                let known = self.brain.state.job(*job);
                if let Some(tried) = known.and_then(|job| job.try_of(*lease)) {
                    self.logs.close((*job, tried.attempt));
                }
            }
            // With the job end all attempts at it.
            Event::JobSucceeded { job, .. } => self.close_logs(self.brain.state.job(*job)),
            Event::SweepCancelled { sweep, .. } => {
                let state = &self.brain.state;
                let jobs = state
                    .sweep(sweep)
                    .into_iter()
                    .flat_map(|sweep| state.jobs_of(sweep));
                self.close_logs(jobs.filter(|job| job.phase.state().has_ended()));
            }
            Event::WorkerCordoned { worker } => tracing::info!(%worker, "worker cordoned"),
            Event::WorkerUncordoned { worker } => tracing::info!(%worker, "worker uncordoned"),
            Event::WorkerQuarantined { worker, until } => {
                tracing::warn!(%worker, %until, "worker quarantined");
            }
            Event::SweepAdded { .. }
            | Event::AttemptStarted { .. }
            | Event::SweepRetried { .. }
            | Event::SweepRescheduled { .. }
            | Event::SweepPublished { .. }
            | Event::RetryPolicyChanged { .. }
            | Event::JobsReprofiled { .. } => {}
        }
    }
}
