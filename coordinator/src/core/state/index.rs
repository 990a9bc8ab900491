//! What can be recomputed from the jobs, kept up to date because decisions need it at once.

use std::collections::{BTreeMap, BTreeSet};

use vico::clock::Timestamp;
use vico::ids::{LeaseId, WorkerId};

use super::job::{Job, Phase};
use super::jobs::JobNo;
use super::profiles::ProfileNo;
use super::sweep::Tally;
use super::sweeps::{SweepNo, Sweeps};

/// Ready jobs that look the same to placement. A job that two sweeps want stands in two lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    /// A sweep that wants them.
    pub(crate) sweep: SweepNo,
    pub(crate) profile: ProfileNo,
}

/// Those that have been ready for longest come first, then those that came in first.
pub(crate) type Line = BTreeSet<(Timestamp, JobNo)>;

/// Derived from the jobs and from who wants them: every job is entered once, as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Index {
    lanes: BTreeMap<Lane, Line>,
    leases: BTreeMap<LeaseId, JobNo>,
    held: BTreeMap<WorkerId, BTreeSet<JobNo>>,
    /// By the sweep's number.
    tallies: Vec<Tally>,
    /// By the sweep's number: its jobs that two workers hold.
    raced: Vec<u32>,
}

impl Index {
    /// Makes room for one more sweep.
    pub(super) fn add_sweep(&mut self) {
        self.tallies.push(Tally::default());
        self.raced.push(0);
    }

    /// Enters a job as it now is.
    pub(super) fn enter(&mut self, number: JobNo, job: &Job, sweeps: &Sweeps) {
        for sweep in &job.listed_by {
            if let Some(tally) = self.tallies.get_mut(sweep.place()) {
                tally.add(job.stage, job.phase.state());
            }
        }
        match &job.phase {
            Phase::Ready { not_before } => {
                for lane in lanes_of(job, sweeps) {
                    self.lanes.entry(lane).or_default().insert((*not_before, number));
                }
            }
            Phase::Leased(leases) => {
                if leases.copy.is_some() {
                    self.count_races(job, |raced| raced + 1);
                }
                for lease in leases.iter() {
                    self.leases.insert(lease.id, number);
                    self.held.entry(lease.worker.clone()).or_default().insert(number);
                }
            }
            _ => {}
        }
    }

    /// Takes out a job as it was entered, before it or who wants it changes.
    pub(super) fn leave(&mut self, number: JobNo, job: &Job, sweeps: &Sweeps) {
        for sweep in &job.listed_by {
            if let Some(tally) = self.tallies.get_mut(sweep.place()) {
                tally.remove(job.stage, job.phase.state());
            }
        }
        match &job.phase {
            Phase::Ready { not_before } => {
                for lane in lanes_of(job, sweeps) {
                    remove_from(&mut self.lanes, &lane, &(*not_before, number));
                }
            }
            Phase::Leased(leases) => {
                if leases.copy.is_some() {
                    self.count_races(job, |raced| raced.saturating_sub(1));
                }
                for lease in leases.iter() {
                    self.leases.remove(&lease.id);
                    remove_from(&mut self.held, &lease.worker, &number);
                }
            }
            _ => {}
        }
    }

    fn count_races(&mut self, job: &Job, change: fn(u32) -> u32) {
        for sweep in &job.listed_by {
            if let Some(raced) = self.raced.get_mut(sweep.place()) {
                *raced = change(*raced);
            }
        }
    }

    /// How many of a sweep's jobs two workers hold.
    pub(super) fn raced(&self, sweep: SweepNo) -> u32 {
        self.raced.get(sweep.place()).copied().unwrap_or(0)
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = (Lane, &Line)> {
        self.lanes.iter().map(|(lane, line)| (*lane, line))
    }

    pub(super) fn leases(&self) -> &BTreeMap<LeaseId, JobNo> {
        &self.leases
    }

    pub(super) fn held_by(&self, worker: &WorkerId) -> impl Iterator<Item = &JobNo> {
        self.held.get(worker).into_iter().flatten()
    }

    pub(super) fn tally(&self, sweep: SweepNo) -> Option<&Tally> {
        self.tallies.get(sweep.place())
    }
}

/// The lanes a ready job stands in: one for each sweep that wants it.
pub(super) fn lanes_of(job: &Job, sweeps: &Sweeps) -> impl Iterator<Item = Lane> {
    let profile = job.profile;
    let wants = |sweep: &SweepNo| sweeps.get(*sweep).is_some_and(|sweep| !sweep.cancelled);
    let wanting = job.listed_by.iter().copied().filter(wants);
    wanting.map(move |sweep| Lane { sweep, profile })
}

fn remove_from<K: Ord, V: Ord>(map: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = map.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            map.remove(key);
        }
    }
}
