//! The state without what can be derived from it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use vico::clock::Timestamp;
use vico::ids::{LeaseId, WorkerId};

use super::labels::Labels;
use super::names::Names;
use super::profiles::Profiles;
use super::{Index, Job, State, Sweep, WorkerRecord};

/// What a snapshot in the journal holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Snapshot<'a> {
    labels: Cow<'a, Labels>,
    profiles: Cow<'a, Profiles>,
    /// In the order of their numbers, as are the sweeps.
    jobs: Cow<'a, [Job]>,
    sweeps: Cow<'a, [Sweep]>,
    workers: Cow<'a, BTreeMap<WorkerId, WorkerRecord>>,
    cordoned: Cow<'a, BTreeSet<WorkerId>>,
    next_lease: LeaseId,
    applied: u64,
}

impl State {
    /// Everything needed to come back.
    pub(crate) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            labels: Cow::Borrowed(&self.labels),
            profiles: Cow::Borrowed(&self.profiles),
            jobs: Cow::Borrowed(self.jobs.as_slice()),
            sweeps: Cow::Borrowed(self.sweeps.as_slice()),
            workers: Cow::Borrowed(&self.records),
            cordoned: Cow::Borrowed(&self.cordoned),
            next_lease: self.next_lease,
            applied: self.applied,
        }
    }

    /// Whether what is derived is what the jobs make it.
    pub(crate) fn has_true_index(&self) -> bool {
        self.index == self.rebuilt_index() && self.knows_all_readers()
    }

    /// The index over the jobs, from nothing.
    fn rebuilt_index(&self) -> Index {
        let mut index = Index::default();
        for _ in self.sweeps.as_slice() {
            index.add_sweep();
        }
        for (number, job) in self.jobs.numbers().zip(self.jobs.as_slice()) {
            index.enter(number, job, &self.sweeps);
        }
        index
    }

    fn link_all(&mut self) {
        for number in self.jobs.numbers() {
            self.link(number);
        }
    }

    /// Whether each job's readers are those that read it.
    fn knows_all_readers(&self) -> bool {
        let jobs = || self.jobs.numbers().zip(self.jobs.as_slice());
        let read: usize = jobs().map(|(_, job)| job.upstream.as_slice().len()).sum();
        let readers: usize = jobs().map(|(_, job)| job.downstream.as_slice().len()).sum();
        let knows = |(number, job): (_, &Job)| {
            let mut upstream = job.upstream.iter().map(|upstream| self.jobs.get(*upstream));
            upstream.all(|upstream| upstream.is_some_and(|job| job.downstream.contains(&number)))
        };
        read == readers && jobs().all(knows)
    }
}

impl From<Snapshot<'_>> for State {
    fn from(snapshot: Snapshot<'_>) -> Self {
        let mut names = Names::default();
        let share = |mut job: Job| {
            job.share_names(&mut names);
            job
        };
        let mut state = Self {
            jobs: snapshot.jobs.into_owned().into_iter().map(share).collect(),
            labels: snapshot.labels.into_owned(),
            profiles: snapshot.profiles.into_owned(),
            sweeps: snapshot.sweeps.into_owned().into_iter().collect(),
            records: snapshot.workers.into_owned(),
            cordoned: snapshot.cordoned.into_owned(),
            next_lease: snapshot.next_lease,
            applied: snapshot.applied,
            latest: Timestamp::default(),
            names,
            index: Index::default(),
        };
        state.latest = state
            .jobs()
            .filter_map(Job::ready_since)
            .max()
            .unwrap_or_default();
        state.link_all();
        state.index = state.rebuilt_index();
        state
    }
}
