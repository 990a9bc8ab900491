//! Attempts begin and end, and what that means for the jobs that read theirs.

use vico::ids::{JobKey, LeaseId, WorkerId};
use vico::job::{Failure, FailureClass, JobState};

use super::Change;
use crate::core::event::Next;
use crate::core::few::Few;
use crate::core::retry::blames_worker;
use crate::core::state::{Ending, Job, JobNo, Lease, Phase};
#[cfg(test)]
use crate::sabotage::{self, Sabotage};

impl Change<'_> {
    pub(super) fn start(&mut self, key: JobKey, lease: Lease) {
        self.state.next_lease = self.state.next_lease.max(LeaseId(lease.id.0.saturating_add(1)));
        let Some(number) = self.state.jobs.number(key) else {
            return;
        };
        self.job(number, |job| {
            job.history().begin(&lease);
            job.phase = Phase::Leased(Box::new(lease));
        });
    }

    /// The job, if `lease` is its live one.
    fn held(&self, key: JobKey, lease: LeaseId) -> Option<JobNo> {
        let number = self.state.jobs.number(key)?;
        let live = self.state.jobs.get(number).and_then(Job::lease);
        live.is_some_and(|live| live.id == lease).then_some(number)
    }

    pub(super) fn fail(&mut self, key: JobKey, lease: LeaseId, failure: &Failure, next: &Next) {
        let Some(number) = self.held(key, lease) else {
            return;
        };
        self.note_failure(number, failure, next);
        let at = self.at;
        let mut blamed = None;
        self.job(number, |job| {
            let worker = job.lease().map(|lease| lease.worker.clone());
            let history = job.history();
            history.end(lease, at, Ending::Failed(Box::new(failure.clone())));
            history.failures += 1;
            #[cfg(test)]
            if sabotage::is(Sabotage::MiscountAttempts) {
                history.failures = history.failures.min(1);
            }
            history.memory_halvings += u32::from(failure.class == FailureClass::OutOfMemory);
            if let (Some(worker), Next::Retry { elsewhere: true, .. }) = (&worker, next) {
                history.avoid.insert(worker.clone());
            }
            job.phase = match next {
                Next::Retry { not_before, .. } => Phase::Ready {
                    not_before: *not_before,
                },
                Next::GiveUp => Phase::Failed(Box::new(failure.clone())),
            };
            blamed = worker;
        });
        if let Some(worker) = blamed.filter(|_| blames_worker(failure.class)) {
            self.state.records.entry(worker).or_default().strikes += 1;
        }
        if *next == Next::GiveUp {
            self.abort_readers(number);
        }
    }

    /// The jobs that read this one's outputs, to be changed one by one.
    pub(super) fn readers(&self, number: JobNo) -> Few<JobNo> {
        let job = self.state.jobs.get(number);
        job.map(|job| job.downstream.clone()).unwrap_or_default()
    }

    fn abort_readers(&mut self, number: JobNo) {
        for reader in &self.readers(number) {
            let waits = |job: &Job| matches!(job.phase, Phase::Blocked);
            if self.state.jobs.get(*reader).is_some_and(waits) {
                self.job(*reader, |job| job.phase = Phase::Aborted { by: number });
                self.abort_readers(*reader);
            }
        }
    }

    pub(super) fn give_back(&mut self, key: JobKey, lease: LeaseId, reason: &str) {
        let Some(number) = self.held(key, lease) else {
            return;
        };
        let at = self.at;
        self.job(number, |job| {
            job.end_try(lease, at, Ending::Returned(reason.into()));
            job.phase = Phase::Ready { not_before: at };
        });
    }

    pub(super) fn succeed(&mut self, key: JobKey, lease: LeaseId, worker: &WorkerId) {
        let Some(number) = self.state.jobs.number(key) else {
            return;
        };
        let at = self.at;
        let mut took = None;
        self.job(number, |job| {
            took = job.end_try(lease, at, Ending::Succeeded);
            if let Some(other) = job.lease().map(|live| live.id).filter(|&live| live != lease) {
                job.end_try(
                    other,
                    at,
                    Ending::Returned("another attempt finished first".into()),
                );
            }
            job.phase = Phase::Succeeded {
                worker: Some(worker.clone()),
            };
        });
        self.state.records.remove(worker);
        if let (Some(took), Some(job)) = (took, self.state.jobs.get(number)) {
            for sweep in &job.listed_by {
                if let Some(sweep) = self.state.sweeps.get_mut(*sweep) {
                    sweep.timings.entry(job.stage).or_default().add(took);
                }
            }
        }
        self.feed_readers(number);
    }

    /// A receipt that was there before the sweep asked.
    pub(super) fn find_receipt(&mut self, number: JobNo) {
        let at = self.at;
        self.job(number, |job| {
            if let Some(live) = job.lease().map(|live| live.id) {
                job.end_try(live, at, Ending::Returned("its receipt was found".into()));
            }
            if job.phase.state() != JobState::Succeeded {
                job.phase = Phase::Succeeded { worker: None };
            }
        });
        self.feed_readers(number);
    }

    fn feed_readers(&mut self, number: JobNo) {
        #[cfg(test)]
        if sabotage::is(Sabotage::LoseWakeUp) {
            return;
        }
        let at = self.at;
        for reader in &self.readers(number) {
            let Some(job) = self.state.jobs.get(*reader) else {
                continue;
            };
            match job.phase {
                Phase::Blocked if self.state.is_fed(job) => {
                    self.job(*reader, |job| job.phase = Phase::Ready { not_before: at });
                }
                // A receipt can turn up for a job that had failed.
                Phase::Aborted { .. } => self.revive(*reader),
                _ => {}
            }
        }
    }

    fn note_failure(&mut self, number: JobNo, failure: &Failure, next: &Next) {
        let Some(job) = self.state.jobs.get(number) else {
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
            self.state.label(job),
            lease.attempt,
            lease.worker,
            failure.class,
            failure.message
        );
        for sweep in &job.listed_by {
            if let Some(sweep) = self.state.sweeps.get_mut(*sweep) {
                sweep.note(notice.clone());
            }
        }
    }
}
