//! What is true whatever happens to this process.

mod apply;
mod index;
mod job;
mod shared;
mod snapshot;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};

use vico::clock::Timestamp;
use vico::ids::{JobKey, LeaseId, SweepId, WorkerId};
use vico::job::JobState;
use vico::plan::RetryPolicy;

pub(crate) use index::{Index, Lane, lanes_of};
pub(crate) use job::{Ending, Job, Lease, Phase, Try};
use serde::{Deserialize, Serialize};
pub(crate) use snapshot::Snapshot;
pub(crate) use sweep::{Sweep, Tally, Timing};

use super::Refusal;

/// The fold over the journal's events.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    jobs: BTreeMap<JobKey, Job>,
    sweeps: BTreeMap<SweepId, Sweep>,
    records: BTreeMap<WorkerId, WorkerRecord>,
    next_lease: LeaseId,
    /// Events taken in so far.
    applied: u64,
    /// Derived from `jobs`.
    index: Index,
}

/// What is remembered of a worker across restarts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct WorkerRecord {
    /// Failures since its last success.
    pub(crate) strikes: u32,
    /// Times it was quarantined since its last success.
    pub(crate) quarantines: u32,
    /// It gets no work before this.
    pub(crate) quarantined_until: Option<Timestamp>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            jobs: BTreeMap::new(),
            sweeps: BTreeMap::new(),
            records: BTreeMap::new(),
            next_lease: LeaseId(1),
            applied: 0,
            index: Index::default(),
        }
    }
}

impl State {
    pub(crate) fn jobs(&self) -> impl Iterator<Item = (&JobKey, &Job)> {
        self.jobs.iter()
    }

    pub(crate) fn job(&self, key: JobKey) -> Option<&Job> {
        self.jobs.get(&key)
    }

    pub(crate) fn sweeps(&self) -> impl Iterator<Item = (&SweepId, &Sweep)> {
        self.sweeps.iter()
    }

    pub(crate) fn sweep(&self, id: &SweepId) -> Option<&Sweep> {
        self.sweeps.get(id)
    }

    /// The sweep, or a refusal that names it.
    pub(crate) fn known_sweep(&self, id: &SweepId) -> Result<&Sweep, Refusal> {
        self.sweep(id)
            .ok_or_else(|| Refusal::UnknownSweep(id.to_string()))
    }

    /// The job whose key begins with `prefix`, where there is exactly one.
    pub(crate) fn find_job(&self, prefix: &str) -> Result<&Job, Refusal> {
        if prefix.len() < 4 {
            return Err(Refusal::ShortPrefix(prefix.to_owned()));
        }
        let prefix = prefix.to_ascii_lowercase();
        let mut found = self
            .jobs
            .values()
            .filter(|job| job.key.to_string().starts_with(&prefix));
        match (found.next(), found.count()) {
            (None, _) => Err(Refusal::UnknownJob(prefix)),
            (Some(job), 0) => Ok(job),
            (Some(_), more) => Err(Refusal::AmbiguousJob {
                prefix,
                matches: more + 1,
            }),
        }
    }

    /// The lease that the next attempt gets; never granted before, not even by an earlier process.
    pub(crate) fn next_lease(&self) -> LeaseId {
        self.next_lease
    }

    /// Events taken in so far, over all processes: how far the journal reaches.
    pub(crate) fn applied(&self) -> u64 {
        self.applied
    }

    /// What is remembered of a worker.
    pub(crate) fn worker_record(&self, worker: &WorkerId) -> WorkerRecord {
        self.records.get(worker).cloned().unwrap_or_default()
    }

    /// Live leases and their jobs.
    pub(crate) fn leases(&self) -> impl Iterator<Item = (&Job, &Lease)> {
        let jobs = self.index.leases().values().filter_map(|key| self.jobs.get(key));
        jobs.filter_map(|job| job.lease().map(|lease| (job, lease)))
    }

    /// Live leases of one worker.
    pub(crate) fn leases_of(&self, worker: &WorkerId) -> impl Iterator<Item = (&Job, &Lease)> {
        let jobs = self.index.held_by(worker).filter_map(|key| self.jobs.get(key));
        jobs.filter_map(|job| job.lease().map(|lease| (job, lease)))
    }

    /// The job of a live lease.
    pub(crate) fn leased_job(&self, lease: LeaseId) -> Option<&Job> {
        self.index.leases().get(&lease).and_then(|key| self.jobs.get(key))
    }

    pub(crate) fn downstream(&self, key: JobKey) -> &[JobKey] {
        self.index.downstream(key)
    }

    /// Ready jobs grouped by what placement looks at.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = (&Lane, &BTreeSet<(Timestamp, JobKey)>)> {
        self.index.lanes()
    }

    /// How many of a sweep's jobs stand where; `None` for sweeps nobody knows.
    pub(crate) fn tally(&self, sweep: &SweepId) -> Option<&Tally> {
        self.index.tally(sweep)
    }

    /// How many of a sweep's jobs workers hold.
    pub(crate) fn running(&self, sweep: &SweepId) -> u32 {
        self.tally(sweep)
            .map_or(0, |tally| tally.in_state(JobState::Leased))
    }

    /// The most generous policy among the sweeps that list the job.
    pub(crate) fn retry_policy(&self, job: &Job) -> Option<&RetryPolicy> {
        let policies = job.listed_by.iter().filter_map(|sweep| self.sweeps.get(sweep));
        policies
            .map(|sweep| &sweep.retry)
            .max_by_key(|policy| policy.attempts)
    }

    /// Whether every job that this one reads has succeeded.
    pub(crate) fn is_fed(&self, job: &Job) -> bool {
        let state = |key: &JobKey| self.jobs.get(key).map(|job| job.phase.state());
        job.upstream
            .iter()
            .all(|key| state(key) == Some(JobState::Succeeded))
    }

    /// The first upstream job that will bring nothing.
    fn dead_upstream(&self, job: &Job) -> Option<JobKey> {
        let state = |key: &JobKey| self.jobs.get(key).map(|job| job.phase.state());
        let dead = |key: &&JobKey| matches!(state(key), Some(JobState::Failed | JobState::Aborted));
        job.upstream.iter().find(dead).copied()
    }

    /// Refuses a lease that is no longer good for the job, with the reason.
    pub(crate) fn live_lease(&self, job: JobKey, lease: LeaseId) -> Result<&Lease, Refusal> {
        let known = self
            .job(job)
            .ok_or_else(|| Refusal::UnknownJob(job.to_string()))?;
        match known.lease() {
            Some(live) if live.id == lease => Ok(live),
            _ => Err(Refusal::StaleLease {
                job,
                lease,
                reason: known.why_stale(lease),
            }),
        }
    }
}
