//! The only mutator. It never refuses: what could not happen was refused before it became an event, and an event that
//! fits nothing changes nothing ([`State::check`] runs after recovery).

mod attempts;
mod profiles;
mod sweeps;

use std::collections::BTreeSet;

use vico::clock::Timestamp;
use vico::ids::{SweepId, WorkerId};

use super::{Job, JobNo, Lease, State, Sweep, SweepNo, Tally};
use crate::core::event::Event;

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
                    worker: self.names.shared(worker),
                    attempt: *attempt,
                    since: *at,
                };
                self.at(*at, |change| change.start(*job, lease));
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
            } => {
                let worker = self.names.shared(worker);
                self.at(*at, |change| change.succeed(*job, *lease, &worker));
            }
            Event::WorkerQuarantined { worker, until } => self.quarantine(worker, *until),
            Event::WorkerCordoned { worker } => _ = self.cordoned.insert(worker.clone()),
            Event::WorkerUncordoned { worker } => _ = self.cordoned.remove(worker),
            Event::SweepCancelled { sweep, at } => self.at(*at, |change| change.cancel(sweep)),
            Event::SweepRetried { sweep, jobs, at } => self.at(*at, |change| change.retry(sweep, jobs)),
            Event::SweepRescheduled { sweep, scheduling } => {
                self.edit(sweep, |sweep| sweep.scheduling = scheduling.clone());
            }
            Event::SweepPublished { sweep } => self.edit(sweep, |sweep| sweep.published = true),
            Event::RetryPolicyChanged { sweep, retry } => self.edit(sweep, |sweep| {
                sweep.retry = retry.clone();
                let attempts = retry.attempts;
                sweep.note(format!(
                    "submitted again: a job is tried {attempts} times at most"
                ));
            }),
            Event::JobsReprofiled {
                sweep,
                profiles,
                jobs,
                at,
            } => self.at(*at, |change| change.reprofile(sweep, profiles, jobs)),
        }
    }

    fn edit(&mut self, id: &SweepId, edit: impl FnOnce(&mut Sweep)) {
        let number = self.sweeps.number(id);
        if let Some(sweep) = number.and_then(|number| self.sweeps.get_mut(number)) {
            edit(sweep);
        }
    }

    fn at(&mut self, at: Timestamp, change: impl FnOnce(&mut Change)) {
        self.latest = self.latest.max(at);
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
        for sweep in self.sweeps.iter_mut().filter(|sweep| sweep.finished.is_none()) {
            sweep.note(notice.clone());
        }
    }
}

/// One event being applied.
struct Change<'a> {
    state: &'a mut State,
    at: Timestamp,
    /// Sweeps of which some job changed.
    touched: BTreeSet<SweepNo>,
}

impl Change<'_> {
    /// Changes one job and keeps the index true.
    pub(super) fn job(&mut self, number: JobNo, change: impl FnOnce(&mut Job)) {
        let Some(job) = self.state.jobs.get_mut(number) else {
            return;
        };
        self.state.index.leave(number, job, &self.state.sweeps);
        change(job);
        self.state.index.enter(number, job, &self.state.sweeps);
        self.touched.extend(&job.listed_by);
    }

    /// Changes a sweep in a way that may tell who wants its jobs, and keeps the index true.
    pub(super) fn sweep(&mut self, number: SweepNo, change: impl FnOnce(&mut Sweep)) {
        let Some(sweep) = self.state.sweeps.get(number) else {
            return;
        };
        let jobs = sweep.jobs.clone();
        let State {
            jobs: all,
            index,
            sweeps,
            ..
        } = &mut *self.state;
        let known = |number: &JobNo| Some((*number, all.get(*number)?));
        for (number, job) in jobs.iter().filter_map(known) {
            index.leave(number, job, sweeps);
        }
        if let Some(sweep) = sweeps.get_mut(number) {
            change(sweep);
        }
        for (number, job) in jobs.iter().filter_map(known) {
            index.enter(number, job, sweeps);
        }
        self.touched.insert(number);
    }

    /// Notes which sweeps have now ended, or have not any more.
    fn settle(self) {
        for number in self.touched {
            let Some(sweep) = self.state.sweeps.get_mut(number) else {
                continue;
            };
            let unended = self.state.index.tally(number).map_or(0, Tally::unended);
            if sweep.cancelled || unended == 0 {
                sweep.finished.get_or_insert(self.at);
            } else {
                sweep.finished = None;
                sweep.published = false;
            }
        }
    }
}
