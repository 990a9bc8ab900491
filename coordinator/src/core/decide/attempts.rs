//! Attempts begin and end.

use vico::clock::Timestamp;
use vico::ids::{JobKey, LeaseId, WorkerId};
use vico::job::{Failure, FailureClass, JobState, Receipt};

use crate::core::event::Next;
use crate::core::placement::Placed;
use crate::core::retry::{Failed, blames_worker};
use crate::core::state::{Job, Lease};
use crate::core::{Ask, Brain, Event, Refusal};
#[cfg(test)]
use crate::sabotage::{self, Sabotage};

impl Brain {
    pub(super) fn decide_place(&self, asks: &[Ask], at: Timestamp) -> Vec<Event> {
        self.started(self.place(asks, at), at)
    }

    pub(super) fn decide_copies(&self, asks: &[Ask], at: Timestamp) -> Vec<Event> {
        self.started(self.copies(asks, at), at)
    }

    fn started(&self, placed: Vec<Placed>, at: Timestamp) -> Vec<Event> {
        let placed = placed.into_iter().zip(self.state.next_lease().0..);
        let started = placed.filter_map(|(placed, lease)| {
            let attempt = self.state.job(placed.job)?.next_attempt();
            Some(Event::AttemptStarted {
                job: placed.job,
                lease: LeaseId(lease),
                attempt,
                worker: placed.worker,
                at,
            })
        });
        started.collect()
    }

    /// The first receipt wins, whoever holds the job now: bytes in the bucket are stronger than any lease.
    pub(super) fn decide_commit(&self, receipt: &Receipt, at: Timestamp) -> Result<Vec<Event>, Refusal> {
        let job = self.state.job(receipt.job);
        let job = job.ok_or_else(|| Refusal::UnknownJob(receipt.job.to_string()))?;
        let is_done = job.phase.state() == JobState::Succeeded;
        #[cfg(test)]
        let is_done = is_done && !sabotage::is(Sabotage::CommitTwice);
        if is_done {
            return Ok(Vec::new());
        }
        Ok(vec![Event::JobSucceeded {
            job: receipt.job,
            lease: receipt.lease,
            worker: receipt.worker.clone(),
            at,
        }])
    }

    /// The live lease, where this worker holds it; else a refusal with the reason.
    pub(crate) fn held(&self, worker: &WorkerId, job: JobKey, lease: LeaseId) -> Result<&Lease, Refusal> {
        let live = self.state.live_lease(job, lease)?;
        if live.worker == *worker {
            return Ok(live);
        }
        Err(Refusal::StaleLease {
            job,
            lease,
            reason: format!("it belongs to worker {}", live.worker),
        })
    }

    /// The same, where the holder's word decides what becomes of the attempt. While its receipt is being written it does not:
    /// the job may be done already, and nobody else is to begin it.
    pub(crate) fn undecided(
        &self,
        worker: &WorkerId,
        (job, lease): (JobKey, LeaseId),
    ) -> Result<&Lease, Refusal> {
        let live = self.held(worker, job, lease)?;
        if self.floor.is_committing(live) {
            return Err(Refusal::BeingCommitted { job, lease });
        }
        Ok(live)
    }

    /// A worker that asked twice to commit may have heard only the no to the second request. It asks again until the first one
    /// is decided.
    pub(super) fn decide_fail(
        &self,
        worker: &WorkerId,
        (job, lease): (JobKey, LeaseId),
        failure: &Failure,
        at: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let live = self.undecided(worker, (job, lease))?;
        let job = self
            .state
            .job(job)
            .ok_or_else(|| Refusal::UnknownJob(job.to_string()))?;
        let others = job.leases().count() > 1;
        let mut events = vec![self.failed((job, live), failure.clone(), others, at)];
        events.extend(self.quarantine(worker, failure.class, (job, lease), at));
        Ok(events)
    }

    /// The failure of a live attempt, with what follows from it: nothing if `others` go on.
    pub(super) fn failed(
        &self,
        (job, lease): (&Job, &Lease),
        failure: Failure,
        others: bool,
        at: Timestamp,
    ) -> Event {
        let failed = Failed {
            job: job.key,
            attempt: lease.attempt,
            failures: job.failures().saturating_add(1),
            failure: &failure,
        };
        let policy = self.state.retry_policy(job);
        let next = match policy {
            _ if others => Next::OtherGoesOn,
            Some(policy) => failed.next(policy, at),
            None => Next::GiveUp,
        };
        Event::AttemptFailed {
            job: job.key,
            lease: lease.id,
            failure,
            next,
            at,
        }
    }

    /// A worker that fails again and again gets no work for a while and its jobs move, provided that somebody else is
    /// there who could do the one that failed.
    fn quarantine(
        &self,
        worker: &WorkerId,
        class: FailureClass,
        (failed, ended): (&Job, LeaseId),
        at: Timestamp,
    ) -> Vec<Event> {
        let record = self.state.worker_record(worker);
        let strikes = record.strikes + u32::from(blames_worker(class));
        let mut others = self.fitting_workers(failed, at).filter(|(id, _)| *id != worker);
        if strikes < self.settings.quarantine_after || !blames_worker(class) || others.next().is_none() {
            return Vec::new();
        }
        let doubled = self.settings.quarantine * 2_u32.saturating_pow(record.quarantines.min(16));
        let until = at + doubled.min(self.settings.longest_quarantine);
        let worker = worker.clone();
        let rest = self
            .state
            .leases_of(&worker)
            .filter(|(_, lease)| lease.id != ended && !self.floor.is_committing(lease));
        let moved = rest.map(|(job, lease)| returned(job, lease, "its worker was quarantined", at));
        let moved: Vec<Event> = moved.collect();
        std::iter::once(Event::WorkerQuarantined { worker, until })
            .chain(moved)
            .collect()
    }

    /// What is given back, somebody else may have at once. Not so a job whose receipt is being written: a worker that must
    /// leave does not wait for the answer, and the job may be done already.
    pub(super) fn decide_release(&self, worker: &WorkerId, leases: &[LeaseId], at: Timestamp) -> Vec<Event> {
        let held = self
            .state
            .leases_of(worker)
            .filter(|(_, lease)| leases.contains(&lease.id) && !self.floor.is_committing(lease));
        held.map(|(job, lease)| returned(job, lease, "the worker gave it back", at))
            .collect()
    }

    /// Expiry is not a timer: time passes, and what is overdue has failed.
    pub(super) fn decide_tick(&self, now: Timestamp) -> Vec<Event> {
        #[cfg(test)]
        if sabotage::is(Sabotage::KeepDeadLeases) {
            return Vec::new();
        }
        let failed = self.overdue(now).map(|(job, lease)| {
            // Of two that run out together, the older goes first.
            let mut others = job.leases().filter(|other| other.id != lease.id);
            let others = others.any(|other| other.id > lease.id || !self.is_overdue(other, now));
            self.failed((job, lease), silence(&lease.worker), others, now)
        });
        failed.collect()
    }

    /// Leases that ran out at `now` or before, with their jobs.
    pub(crate) fn overdue(&self, now: Timestamp) -> impl Iterator<Item = (&Job, &Lease)> {
        self.state
            .leases()
            .filter(move |(_, lease)| self.is_overdue(lease, now))
    }

    fn is_overdue(&self, lease: &Lease, now: Timestamp) -> bool {
        let deadline = self.floor.deadline(lease);
        deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// An attempt that ends without anybody's fault.
pub(super) fn returned(job: &Job, lease: &Lease, reason: &str, at: Timestamp) -> Event {
    Event::AttemptReturned {
        job: job.key,
        lease: lease.id,
        reason: reason.to_owned(),
        at,
    }
}

fn silence(worker: &WorkerId) -> Failure {
    Failure {
        class: FailureClass::WorkerLost,
        message: format!("worker {worker} did not renew its lease in time"),
    }
}
