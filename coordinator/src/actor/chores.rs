//! What time brings, expiry and forgetting, and what is told of events.

use std::time::Duration;

use super::Actor;
use crate::core::event::Next;
use crate::core::state::Job;
use crate::core::{Command, Event};

/// A busy machine may keep this task waiting for so long, however short leases are.
const LATENESS: Duration = Duration::from_secs(1);

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
            // It may bring the receipt of a job that somebody is at.
            Event::SweepAdded { sweep, .. } => {
                let places = sweep.done.iter();
                let done = places.filter_map(|place| sweep.jobs.get(place.0 as usize));
                self.close_logs(done.filter_map(|job| self.brain.state.job(job.key)));
            }
            Event::AttemptStarted { .. }
            | Event::SweepRetried { .. }
            | Event::SweepRescheduled { .. }
            | Event::SweepPublished { .. }
            | Event::RetryPolicyChanged { .. }
            | Event::JobsReprofiled { .. } => {}
        }
    }
}
