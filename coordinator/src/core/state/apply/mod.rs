//! The only mutator. It never refuses: what could not happen was refused before it became an event, and an event that
//! fits nothing changes nothing ([`State::check`] runs after recovery).

mod attempts;
mod sweeps;

use std::collections::BTreeSet;

use vico::clock::Timestamp;
use vico::ids::{JobKey, SweepId, WorkerId};

use super::{Job, Lease, State, Tally};
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
            Event::SweepRescheduled { sweep, scheduling } => {
                if let Some(sweep) = self.sweeps.get_mut(sweep) {
                    sweep.scheduling = scheduling.clone();
                }
            }
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
    pub(super) fn job(&mut self, key: JobKey, change: impl FnOnce(&mut Job)) {
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
            let unended = self.state.index.tally(id).map_or(0, Tally::unended);
            if sweep.cancelled || unended == 0 {
                sweep.finished.get_or_insert(self.at);
            } else {
                sweep.finished = None;
                sweep.published = false;
            }
        }
    }
}
