//! Attempts begin and end, and what that means for the jobs that read theirs.

use vico::ids::{JobKey, LeaseId, WorkerId};
use vico::job::{Failure, FailureClass, JobState};

use super::Change;
use crate::core::event::Next;
use crate::core::retry::blames_worker;
use crate::core::state::{Ending, Job, Lease, Phase};
#[cfg(test)]
use crate::sabotage::{self, Sabotage};

impl Change<'_> {
    pub(super) fn start(&mut self, job: JobKey, lease: &Lease) {
        self.state.next_lease = self.state.next_lease.max(LeaseId(lease.id.0.saturating_add(1)));
        self.job(job, |job| {
            job.begin_try(lease);
            job.phase = Phase::Leased(lease.clone());
        });
    }

    /// Whether `lease` is the live one of `job`.
    fn holds(&self, job: JobKey, lease: LeaseId) -> bool {
        let live = self.state.job(job).and_then(Job::lease);
        live.is_some_and(|live| live.id == lease)
    }

    pub(super) fn fail(&mut self, key: JobKey, lease: LeaseId, failure: &Failure, next: &Next) {
        if !self.holds(key, lease) {
            return;
        }
        self.note_failure(key, failure, next);
        let at = self.at;
        let mut blamed = None;
        self.job(key, |job| {
            let worker = job.lease().map(|lease| lease.worker.clone());
            job.end_try(lease, at, Ending::Failed(failure.clone()));
            job.failures += 1;
            #[cfg(test)]
            if sabotage::is(Sabotage::MiscountAttempts) {
                job.failures = job.failures.min(1);
            }
            job.memory_halvings += u32::from(failure.class == FailureClass::OutOfMemory);
            job.phase = match next {
                Next::Retry {
                    not_before,
                    elsewhere,
                } => {
                    job.avoid.extend(worker.clone().filter(|_| *elsewhere));
                    Phase::Ready {
                        not_before: *not_before,
                    }
                }
                Next::GiveUp => Phase::Failed(failure.clone()),
            };
            blamed = worker;
        });
        if let Some(worker) = blamed.filter(|_| blames_worker(failure.class)) {
            self.state.records.entry(worker).or_default().strikes += 1;
        }
        if *next == Next::GiveUp {
            self.abort_readers(key);
        }
    }

    fn abort_readers(&mut self, key: JobKey) {
        for reader in self.state.downstream(key).to_vec() {
            let waits = |job: &Job| matches!(job.phase, Phase::Blocked);
            if self.state.job(reader).is_some_and(waits) {
                self.job(reader, |job| job.phase = Phase::Aborted { by: key });
                self.abort_readers(reader);
            }
        }
    }

    pub(super) fn give_back(&mut self, key: JobKey, lease: LeaseId, reason: &str) {
        if !self.holds(key, lease) {
            return;
        }
        let at = self.at;
        self.job(key, |job| {
            job.end_try(lease, at, Ending::Returned(reason.to_owned()));
            job.phase = Phase::Ready { not_before: at };
        });
    }

    pub(super) fn succeed(&mut self, key: JobKey, lease: LeaseId, worker: &WorkerId) {
        let at = self.at;
        let mut took = None;
        self.job(key, |job| {
            took = job.end_try(lease, at, Ending::Succeeded);
            if let Some(other) = job.lease().map(|live| live.id).filter(|&live| live != lease) {
                let reason = "another attempt finished first".to_owned();
                job.end_try(other, at, Ending::Returned(reason));
            }
            job.phase = Phase::Succeeded {
                worker: Some(worker.clone()),
            };
        });
        self.state.records.remove(worker);
        if let (Some(took), Some(job)) = (took, self.state.jobs.get(&key)) {
            for sweep in &job.listed_by {
                if let Some(sweep) = self.state.sweeps.get_mut(sweep) {
                    sweep.timings.entry(job.stage).or_default().add(took);
                }
            }
        }
        self.feed_readers(key);
    }

    /// A receipt that was there before the sweep asked.
    pub(super) fn find_receipt(&mut self, key: JobKey) {
        let at = self.at;
        self.job(key, |job| {
            if let Some(live) = job.lease().map(|live| live.id) {
                job.end_try(live, at, Ending::Returned("its receipt was found".to_owned()));
            }
            if job.phase.state() != JobState::Succeeded {
                job.phase = Phase::Succeeded { worker: None };
            }
        });
        self.feed_readers(key);
    }

    fn feed_readers(&mut self, key: JobKey) {
        #[cfg(test)]
        if sabotage::is(Sabotage::LoseWakeUp) {
            return;
        }
        let at = self.at;
        for reader in self.state.downstream(key).to_vec() {
            let Some(job) = self.state.job(reader) else {
                continue;
            };
            match job.phase {
                Phase::Blocked if self.state.is_fed(job) => {
                    self.job(reader, |job| job.phase = Phase::Ready { not_before: at });
                }
                // A receipt can turn up for a job that had failed.
                Phase::Aborted { .. } => self.revive(reader),
                _ => {}
            }
        }
    }

    fn note_failure(&mut self, key: JobKey, failure: &Failure, next: &Next) {
        let Some(job) = self.state.jobs.get(&key) else {
            return;
        };
        let Some(lease) = job.lease() else { return };
        let outcome = match next {
            Next::Retry { not_before, .. } if *not_before > self.at => {
                format!("next not before {not_before}")
            }
            Next::Retry { .. } => "trying again".to_owned(),
            Next::GiveUp => "given up".to_owned(),
        };
        let notice = format!(
            "{}: attempt {} on {} failed, {outcome}: {}: {}",
            job.label, lease.attempt, lease.worker, failure.class, failure.message
        );
        for sweep in &job.listed_by {
            if let Some(sweep) = self.state.sweeps.get_mut(sweep) {
                sweep.note(notice.clone());
            }
        }
    }
}
