//! The state without what can be derived from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vico::ids::{LeaseId, SweepId, WorkerId};

use super::shared::Shared;
use super::{Index, Job, State, Sweep, WorkerRecord};

/// What a snapshot in the journal holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    jobs: Vec<Job>,
    sweeps: BTreeMap<SweepId, Sweep>,
    workers: BTreeMap<WorkerId, WorkerRecord>,
    next_lease: LeaseId,
    applied: u64,
}

impl State {
    /// Everything needed to come back.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            jobs: self.jobs.values().cloned().collect(),
            sweeps: self.sweeps.clone(),
            workers: self.records.clone(),
            next_lease: self.next_lease,
            applied: self.applied,
        }
    }

    /// Whether the index is what the jobs make it.
    pub(crate) fn has_true_index(&self) -> bool {
        self.index == self.rebuilt_index()
    }

    /// The index over the jobs, from nothing.
    fn rebuilt_index(&self) -> Index {
        let mut index = Index::default();
        for job in self.jobs.values() {
            index.link(job);
            index.enter(job);
        }
        index
    }
}

impl From<Snapshot> for State {
    fn from(snapshot: Snapshot) -> Self {
        let mut models = Shared::new();
        let share = |mut job: Job| {
            job.models = models.copy_of(&job.models);
            (job.key, job)
        };
        let mut state = Self {
            jobs: snapshot.jobs.into_iter().map(share).collect(),
            sweeps: snapshot.sweeps,
            records: snapshot.workers,
            next_lease: snapshot.next_lease,
            applied: snapshot.applied,
            index: Index::default(),
        };
        state.index = state.rebuilt_index();
        state
    }
}
