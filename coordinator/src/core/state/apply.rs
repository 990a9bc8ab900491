//! The only mutator. It never refuses: what could not happen was refused before it became an event, and an event that
//! fits nothing changes nothing ([`State::check`] runs after recovery).

use std::collections::{BTreeMap, BTreeSet};

use vico::clock::Timestamp;
use vico::ids::{JobKey, LeaseId, SweepId, WorkerId};
use vico::job::{Failure, FailureClass, JobState};

use super::{Ending, Job, Lease, Phase, State, Sweep};
use crate::core::event::{Event, NewSweep, Next};
use crate::core::retry::blames_worker;

impl State {
    /// Takes in what happened.
    pub(crate) fn apply(&mut self, event: &Event) {
        self.applied += 1;
        match event {
            Event::SweepAdded { sweep, at } => self.at(*at, |change| change.add_sweep(sweep)),
            Event::AttemptStarted {
                job,
                lease,
                attempt,
                worker,
                at,
            } => {
                let lease = Lease {
                    id: *lease,
                    worker: worker.clone(),
                    attempt: *attempt,
                    since: *at,
                };
                self.at(*at, |change| change.start(*job, &lease));
            }
            Event::AttemptFailed {
                job,
                lease,
                failure,
                next,
                at,
            } => self.at(*at, |change| change.fail(*job, *lease, failure, next)),
            Event::AttemptReturned {
                job,
                lease,
                reason,
                at,
            } => self.at(*at, |change| change.give_back(*job, *lease, reason)),
            Event::JobSucceeded {
                job,
                lease,
                worker,
                at,
            } => self.at(*at, |change| change.succeed(*job, *lease, worker)),
            Event::WorkerQuarantined { worker, until } => self.quarantine(worker, *until),
            Event::SweepCancelled { sweep, at } => self.at(*at, |change| change.cancel(sweep)),
            Event::SweepRetried { sweep, jobs, at } => self.at(*at, |change| change.retry(sweep, jobs)),
            Event::SweepPublished { sweep } => {
                if let Some(sweep) = self.sweeps.get_mut(sweep) {
                    sweep.published = true;
                }
            }
        }
    }

    fn at(&mut self, at: Timestamp, change: impl FnOnce(&mut Change)) {
        let mut scope = Change {
            state: self,
            at,
            touched: BTreeSet::new(),
        };
        change(&mut scope);
        scope.settle();
    }

    fn quarantine(&mut self, worker: &WorkerId, until: Timestamp) {
        let record = self.records.entry(worker.clone()).or_default();
        record.quarantined_until = Some(until);
        record.quarantines += 1;
        let notice = format!(
            "worker {worker} failed {} times in a row: no work until {until}",
            record.strikes
        );
        for sweep in self.sweeps.values_mut().filter(|sweep| sweep.finished.is_none()) {
            sweep.note(notice.clone());
        }
    }
}

/// One event being applied.
struct Change<'a> {
    state: &'a mut State,
    at: Timestamp,
    /// Sweeps of which some job changed.
    touched: BTreeSet<SweepId>,
}

impl Change<'_> {
    /// Changes one job and keeps the index true.
    fn job(&mut self, key: JobKey, change: impl FnOnce(&mut Job)) {
        let Some(job) = self.state.jobs.get_mut(&key) else {
            return;
        };
        self.state.index.leave(job);
        change(job);
        self.state.index.enter(job);
        self.touched.extend(job.listed_by.iter().cloned());
    }

    /// Notes which sweeps have now ended, or have not any more.
    fn settle(self) {
        for id in &self.touched {
            let Some(sweep) = self.state.sweeps.get_mut(id) else {
                continue;
            };
            let unended = self.state.index.tally(id).map_or(0, super::Tally::unended);
            if sweep.cancelled || unended == 0 {
                sweep.finished.get_or_insert(self.at);
            } else {
                sweep.finished = None;
                sweep.published = false;
            }
        }
    }

    fn add_sweep(&mut self, planned: &NewSweep) {
        let id = &planned.id;
        let at = self.at;
        for job in &planned.jobs {
            self.state.jobs.entry(job.key).or_insert_with(|| {
                let job = Job::new(job);
                self.state.index.link(&job);
                job
            });
        }
        let done: BTreeSet<JobKey> = planned.done.iter().copied().collect();
        let mut reused = BTreeMap::new();
        for job in &planned.jobs {
            let before = self.state.job(job.key).map(|job| job.phase.state());
            if before == Some(JobState::Succeeded) || done.contains(&job.key) {
                *reused.entry(job.stage).or_default() += 1;
            }
        }
        let jobs: Vec<JobKey> = planned.jobs.iter().map(|job| job.key).collect();
        self.state
            .sweeps
            .insert(id.clone(), new_sweep(planned, jobs.clone(), reused, at));
        for &job in &jobs {
            self.want(job, id);
        }
        for job in done {
            self.find_receipt(job);
        }
        for job in jobs {
            self.revive(job);
        }
    }

    fn want(&mut self, job: JobKey, sweep: &SweepId) {
        self.job(job, |job| {
            job.listed_by.insert(sweep.clone());
            job.wanted_by.insert(sweep.clone());
        });
    }

    /// Gives a job that ended without success a fresh start, and what was aborted for its sake as well.
    fn revive(&mut self, key: JobKey) {
        let revivable = |job: &&Job| {
            let state = job.phase.state();
            state.has_ended() && state != JobState::Succeeded && !job.wanted_by.is_empty()
        };
        let Some(job) = self.state.job(key).filter(revivable) else {
            return;
        };
        let phase = self.waiting_phase(job);
        let still_dead = phase.state().has_ended();
        self.job(key, |job| {
            job.phase = phase;
            job.refresh_budget();
        });
        if !still_dead {
            for reader in self.state.downstream(key).to_vec() {
                let aborted = |job: &Job| job.phase.state() == JobState::Aborted;
                if self.state.job(reader).is_some_and(aborted) {
                    self.revive(reader);
                }
            }
        }
    }

    /// Where a job stands that nobody works on, as its upstream has it.
    fn waiting_phase(&self, job: &Job) -> Phase {
        match self.state.dead_upstream(job) {
            Some(by) => Phase::Aborted { by },
            None if self.state.is_fed(job) => Phase::Ready { not_before: self.at },
            None => Phase::Blocked,
        }
    }

    fn start(&mut self, job: JobKey, lease: &Lease) {
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

    fn fail(&mut self, key: JobKey, lease: LeaseId, failure: &Failure, next: &Next) {
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

    fn give_back(&mut self, key: JobKey, lease: LeaseId, reason: &str) {
        if !self.holds(key, lease) {
            return;
        }
        let at = self.at;
        self.job(key, |job| {
            job.end_try(lease, at, Ending::Returned(reason.to_owned()));
            job.phase = Phase::Ready { not_before: at };
        });
    }

    fn succeed(&mut self, key: JobKey, lease: LeaseId, worker: &WorkerId) {
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
    fn find_receipt(&mut self, key: JobKey) {
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

    fn cancel(&mut self, id: &SweepId) {
        let Some(sweep) = self.state.sweeps.get_mut(id) else {
            return;
        };
        sweep.cancelled = true;
        sweep.note("cancelled".to_owned());
        self.touched.insert(id.clone());
        let at = self.at;
        for key in sweep.jobs.clone() {
            self.job(key, |job| {
                job.wanted_by.remove(id);
                if !job.wanted_by.is_empty() || job.phase.state().has_ended() {
                    return;
                }
                if let Some(lease) = job.lease().map(|live| live.id) {
                    job.end_try(lease, at, Ending::Failed(cancelled_by_user()));
                }
                job.phase = Phase::Cancelled;
            });
        }
    }

    fn retry(&mut self, id: &SweepId, jobs: &[JobKey]) {
        let Some(sweep) = self.state.sweeps.get_mut(id) else {
            return;
        };
        sweep.cancelled = false;
        sweep.finished = None;
        sweep.published = false;
        sweep.note(format!("retrying {} jobs", jobs.len()));
        let listed = sweep.jobs.clone();
        for &key in &listed {
            self.job(key, |job| _ = job.wanted_by.insert(id.clone()));
        }
        for &key in jobs {
            self.revive(key);
        }
        // What was aborted while nobody wanted it may have a living upstream by now.
        for key in listed {
            if matches!(
                self.state.job(key).map(|job| &job.phase),
                Some(Phase::Aborted { .. })
            ) {
                self.revive(key);
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

fn new_sweep(
    planned: &NewSweep,
    jobs: Vec<JobKey>,
    reused: BTreeMap<vico::job::Stage, u32>,
    submitted: Timestamp,
) -> Sweep {
    Sweep {
        name: planned.name.clone(),
        retry: planned.retry.clone(),
        submitted,
        jobs,
        reused,
        timings: BTreeMap::new(),
        cancelled: false,
        finished: None,
        published: false,
        notices: std::collections::VecDeque::new(),
    }
}

fn cancelled_by_user() -> Failure {
    Failure {
        class: FailureClass::Cancelled,
        message: "the sweep was cancelled".to_owned(),
    }
}
