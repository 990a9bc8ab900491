//! Attempts begin and end, and what that means for the jobs that read theirs.

use std::time::Duration;

use vico::ids::{JobKey, LeaseId, WorkerId};
use vico::job::{Failure, JobState, Remedy};

use super::Change;
use crate::core::event::Next;
use crate::core::few::Few;
use crate::core::retry::blames_worker;
use crate::core::state::{Ending, Job, JobNo, Lease, Leases, Phase};
#[cfg(test)]
use crate::sabotage::{self, Sabotage};

impl Change<'_> {
    pub(super) fn start(&mut self, key: JobKey, lease: Lease) {
        self.state.next_lease = self.state.next_lease.max(LeaseId(lease.id.0.saturating_add(1)));
        let Some(number) = self.state.jobs.number(key) else {
            return;
        };
        self.note_copy(number, &lease);
        self.job(number, |job| {
            job.history().begin(&lease);
            match &mut job.phase {
                Phase::Leased(leases) => leases.copy = Some(lease),
                phase => *phase = Phase::Leased(Box::new(Leases::one(lease))),
            }
        });
    }

    /// The job, if `lease` is a live one of it.
    fn held(&self, key: JobKey, lease: LeaseId) -> Option<JobNo> {
        let number = self.state.jobs.number(key)?;
        self.state.jobs.get(number)?.lease(lease)?;
        Some(number)
    }

    pub(super) fn fail(&mut self, key: JobKey, lease: LeaseId, failure: &Failure, next: &Next) {
        let Some(number) = self.held(key, lease) else {
            return;
        };
        self.note_failure((number, lease), failure, next);
        let at = self.at;
        let mut blamed = None;
        self.job(number, |job| {
            let worker = job.lease(lease).map(|lease| lease.worker.clone());
            job.end_try(lease, at, Ending::Failed(Box::new(failure.clone())));
            let elsewhere = match next {
                Next::Retry { elsewhere, .. } => *elsewhere,
                Next::OtherGoesOn => failure.class.remedy() == Remedy::RetryElsewhere,
                Next::GiveUp => false,
            };
            job.learn(failure.class, worker.as_ref().filter(|_| elsewhere));
            match next {
                Next::OtherGoesOn => job.drop_lease(lease, at),
                Next::Retry { not_before, .. } => {
                    job.count();
                    job.phase = Phase::Ready {
                        not_before: *not_before,
                    };
                }
                Next::GiveUp => {
                    job.count();
                    job.phase = Phase::Failed(Box::new(failure.clone()));
                }
            }
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
            job.drop_lease(lease, at);
        });
    }

    pub(super) fn succeed(&mut self, key: JobKey, lease: LeaseId, worker: &WorkerId) {
        let Some(number) = self.state.jobs.number(key) else {
            return;
        };
        self.end_anew(number);
        let at = self.at;
        let mut took = None;
        self.job(number, |job| {
            took = job.end_try(lease, at, Ending::Succeeded);
            job.end_all(at, &Ending::Returned("another attempt finished first".into()));
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
        self.end_anew(number);
        let at = self.at;
        self.job(number, |job| {
            job.end_all(at, &Ending::Returned("its receipt was found".into()));
            if job.phase.state() != JobState::Succeeded {
                job.phase = Phase::Succeeded { worker: None };
            }
        });
        self.feed_readers(number);
    }

    /// A receipt can turn up for a job that had ended without one. Sweeps that had ended as well end anew: what was
    /// published of them lacks the job. When a sweep ended tells its results apart, so it is never the moment before.
    fn end_anew(&mut self, number: JobNo) {
        let at = self.at;
        let was_given_up = |job: &&Job| {
            let state = job.phase.state();
            state.has_ended() && state != JobState::Succeeded
        };
        let Some(job) = self.state.jobs.get(number).filter(was_given_up) else {
            return;
        };
        for sweep in &job.listed_by {
            let sweep = self.state.sweeps.get_mut(*sweep);
            if let Some(sweep) = sweep.filter(|sweep| !sweep.cancelled) {
                let before = sweep.finished;
                sweep.finished = before.map(|before| at.max(before + Duration::from_millis(1)));
                sweep.published = false;
            }
        }
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

    fn note_failure(&mut self, (number, lease): (JobNo, LeaseId), failure: &Failure, next: &Next) {
        let Some(job) = self.state.jobs.get(number) else {
            return;
        };
        let Some(lease) = job.lease(lease) else { return };
        let outcome = match next {
            Next::OtherGoesOn => "another attempt goes on".to_owned(),
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
        self.note(number, &notice);
    }

    /// A second attempt beside one that runs late.
    fn note_copy(&mut self, number: JobNo, copy: &Lease) {
        let Some(job) = self.state.jobs.get(number) else {
            return;
        };
        let Some(late) = job.leases().next() else { return };
        let notice = format!(
            "{} runs late on {}: attempt {} on {} races it",
            self.state.label(job),
            late.worker,
            copy.attempt,
            copy.worker
        );
        self.note(number, &notice);
    }

    /// For those who look at the sweeps of a job.
    fn note(&mut self, number: JobNo, notice: &str) {
        let Some(job) = self.state.jobs.get(number) else {
            return;
        };
        for sweep in &job.listed_by {
            if let Some(sweep) = self.state.sweeps.get_mut(*sweep) {
                sweep.note(notice.to_owned());
            }
        }
    }
}
