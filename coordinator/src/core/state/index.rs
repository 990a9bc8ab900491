//! What can be recomputed from the jobs, kept up to date because decisions need it at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vico::clock::Timestamp;
use vico::digest::Digest;
use vico::ids::{JobKey, LeaseId, SweepId, WorkerId};
use vico::job::{Resources, Stage};

use super::job::{Job, Phase};
use super::sweep::Tally;
use crate::core::few::Few;

/// Ready jobs that look the same to placement. A job that two sweeps want stands in two lanes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    /// A sweep that wants them.
    pub(crate) sweep: SweepId,
    pub(crate) stage: Stage,
    pub(crate) resources: Resources,
    /// Identities of the models they load.
    pub(crate) models: Arc<[Digest]>,
}

/// Derived from the jobs alone: every job is entered once, as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Index {
    lanes: BTreeMap<Lane, BTreeSet<(Timestamp, JobKey)>>,
    leases: BTreeMap<LeaseId, JobKey>,
    held: BTreeMap<WorkerId, BTreeSet<JobKey>>,
    downstream: BTreeMap<JobKey, Few<JobKey>>,
    tallies: BTreeMap<SweepId, Tally>,
}

impl Index {
    /// Enters a job that is new to the state.
    pub(super) fn link(&mut self, job: &Job) {
        for &upstream in &job.upstream {
            self.downstream.entry(upstream).or_default().insert(job.key);
        }
    }

    /// Enters a job as it now is.
    pub(super) fn enter(&mut self, job: &Job) {
        for sweep in &job.listed_by {
            let tally = self.tallies.entry(sweep.clone()).or_default();
            tally.add(job.stage, job.phase.state());
        }
        match &job.phase {
            Phase::Ready { not_before } => {
                for lane in lanes_of(job) {
                    self.lanes.entry(lane).or_default().insert((*not_before, job.key));
                }
            }
            Phase::Leased(lease) => {
                self.leases.insert(lease.id, job.key);
                self.held.entry(lease.worker.clone()).or_default().insert(job.key);
            }
            _ => {}
        }
    }

    /// Takes out a job as it was entered, before it changes.
    pub(super) fn leave(&mut self, job: &Job) {
        for sweep in &job.listed_by {
            let Some(tally) = self.tallies.get_mut(sweep) else {
                continue;
            };
            tally.remove(job.stage, job.phase.state());
            if tally.is_empty() {
                self.tallies.remove(sweep);
            }
        }
        match &job.phase {
            Phase::Ready { not_before } => {
                for lane in lanes_of(job) {
                    remove_from(&mut self.lanes, &lane, &(*not_before, job.key));
                }
            }
            Phase::Leased(lease) => {
                self.leases.remove(&lease.id);
                remove_from(&mut self.held, &lease.worker, &job.key);
            }
            _ => {}
        }
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = (&Lane, &BTreeSet<(Timestamp, JobKey)>)> {
        self.lanes.iter()
    }

    pub(super) fn leases(&self) -> &BTreeMap<LeaseId, JobKey> {
        &self.leases
    }

    pub(super) fn held_by(&self, worker: &WorkerId) -> impl Iterator<Item = &JobKey> {
        self.held.get(worker).into_iter().flatten()
    }

    pub(super) fn downstream(&self, key: JobKey) -> &[JobKey] {
        self.downstream.get(&key).map_or(&[], Few::as_slice)
    }

    pub(super) fn tally(&self, sweep: &SweepId) -> Option<&Tally> {
        self.tallies.get(sweep)
    }
}

/// The lanes a ready job stands in: one for each sweep that wants it.
pub(crate) fn lanes_of(job: &Job) -> impl Iterator<Item = Lane> {
    job.wanted_by.iter().map(|sweep| Lane {
        sweep: sweep.clone(),
        stage: job.stage,
        resources: job.resources.clone(),
        models: job.models.clone(),
    })
}

fn remove_from<K: Ord, V: Ord>(map: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = map.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            map.remove(key);
        }
    }
}
