//! What is true whatever happens to this process.

mod apply;
mod history;
mod index;
mod job;
mod jobs;
mod labels;
mod lease;
mod names;
mod profiles;
mod snapshot;
mod sweep;
mod sweeps;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use vico::clock::Timestamp;
use vico::ids::{JobKey, LeaseId, SweepId, WorkerId};
use vico::job::JobState;
use vico::plan::RetryPolicy;

pub(crate) use history::{Ending, Try};
use index::Index;
pub(crate) use index::{Lane, Line};
pub(crate) use job::{Job, Phase};
pub(crate) use jobs::JobNo;
use jobs::Jobs;
use labels::Labels;
pub(crate) use lease::{Lease, Leases};
use names::Names;
use profiles::Profiles;
pub(crate) use snapshot::Snapshot;
pub(crate) use sweep::{Sweep, Tally, Timing};
pub(crate) use sweeps::SweepNo;
use sweeps::Sweeps;

use super::Refusal;
use super::event::Profile;

/// The fold over the journal's events.
#[derive(Debug, Clone)]
pub(crate) struct State {
    jobs: Jobs,
    labels: Labels,
    profiles: Profiles,
    sweeps: Sweeps,
    records: BTreeMap<WorkerId, WorkerRecord>,
    /// Workers that a user keeps from new work.
    cordoned: BTreeSet<WorkerId>,
    next_lease: LeaseId,
    /// Events taken in so far.
    applied: u64,
    /// The latest time that an event told. Derived: from a snapshot it is as late as any ready job needs.
    latest: Timestamp,
    /// Saves memory, means nothing.
    names: Names,
    /// Derived from `jobs` and `sweeps`.
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
            jobs: Jobs::default(),
            labels: Labels::default(),
            profiles: Profiles::default(),
            sweeps: Sweeps::default(),
            records: BTreeMap::new(),
            cordoned: BTreeSet::new(),
            next_lease: LeaseId(1),
            applied: 0,
            latest: Timestamp::default(),
            names: Names::default(),
            index: Index::default(),
        }
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let told = |state: &Self| (state.next_lease, state.applied);
        told(self) == told(other)
            && self.jobs == other.jobs
            && (&self.labels, &self.profiles) == (&other.labels, &other.profiles)
            && (&self.sweeps, &self.records, &self.cordoned)
                == (&other.sweeps, &other.records, &other.cordoned)
            && self.index == other.index
    }
}

impl State {
    pub(crate) fn jobs(&self) -> impl ExactSizeIterator<Item = &Job> {
        self.jobs.as_slice().iter()
    }

    pub(crate) fn job(&self, key: JobKey) -> Option<&Job> {
        self.jobs.get(self.jobs.number(key)?)
    }

    /// The job of a number that this state has told.
    pub(crate) fn numbered(&self, number: JobNo) -> Option<&Job> {
        self.jobs.get(number)
    }

    /// What people call a job.
    pub(crate) fn label(&self, job: &Job) -> &str {
        self.labels.get(job.label)
    }

    /// What the job has in common with many others.
    pub(crate) fn profile(&self, job: &Job) -> Option<&Profile> {
        self.profiles.get(job.profile)
    }

    /// The jobs whose outputs it reads.
    pub(crate) fn upstream(&self, job: &Job) -> impl Iterator<Item = &Job> {
        job.upstream.iter().filter_map(|number| self.jobs.get(*number))
    }

    /// By id.
    pub(crate) fn sweeps(&self) -> impl Iterator<Item = &Sweep> {
        self.sweeps.iter()
    }

    pub(crate) fn sweep(&self, id: &SweepId) -> Option<&Sweep> {
        self.sweeps.get(self.sweeps.number(id)?)
    }

    /// The number of a sweep.
    pub(crate) fn sweep_number(&self, id: &SweepId) -> Option<SweepNo> {
        self.sweeps.number(id)
    }

    /// The sweep of a number that this state has told.
    pub(crate) fn numbered_sweep(&self, number: SweepNo) -> Option<&Sweep> {
        self.sweeps.get(number)
    }

    /// The jobs of a sweep, in the order of its plan.
    pub(crate) fn jobs_of(&self, sweep: &Sweep) -> impl Iterator<Item = &Job> {
        sweep.jobs.iter().filter_map(|number| self.jobs.get(*number))
    }

    /// Every sweep that has the job in its plan.
    pub(crate) fn listing(&self, job: &Job) -> impl Iterator<Item = &Sweep> {
        job.listed_by.iter().filter_map(|number| self.sweeps.get(*number))
    }

    /// Of those, the sweeps that were not cancelled. Nobody else needs the job.
    pub(crate) fn wanting(&self, job: &Job) -> impl Iterator<Item = &Sweep> {
        self.listing(job).filter(|sweep| !sweep.cancelled)
    }

    /// Whether some sweep needs the job.
    pub(crate) fn is_wanted(&self, job: &Job) -> bool {
        self.wanting(job).next().is_some()
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
        let mut found = self.jobs().filter(|job| job.key.0.begins_with(&prefix));
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

    /// Whether a job is ready and its time has come. Where the clock is behind the journal, because it was set back or is another
    /// machine's, a job that became ready after `now` does not wait for the clock to catch up. A back-off ends when the clock
    /// says so, unless it had ended before.
    pub(crate) fn is_due(&self, job: &Job, now: Timestamp) -> bool {
        let Phase::Ready { not_before } = job.phase else {
            return false;
        };
        not_before <= now || (not_before <= self.latest && job.ready_since() > Some(now))
    }

    /// Those of a line that are due.
    pub(crate) fn due<'a>(&'a self, line: &'a Line, now: Timestamp) -> impl Iterator<Item = JobNo> + 'a {
        let until = now.max(self.latest);
        let may_be = line
            .iter()
            .take_while(move |(not_before, _)| *not_before <= until);
        let is_due = move |number: &JobNo| self.jobs.get(*number).is_some_and(|job| self.is_due(job, now));
        let due = may_be.filter(move |(not_before, number)| *not_before <= now || is_due(number));
        due.map(|(_, number)| *number)
    }

    /// What is remembered of a worker.
    pub(crate) fn worker_record(&self, worker: &WorkerId) -> WorkerRecord {
        self.records.get(worker).cloned().unwrap_or_default()
    }

    /// Whether a user keeps the worker from new work.
    pub(crate) fn is_cordoned(&self, worker: &WorkerId) -> bool {
        self.cordoned.contains(worker)
    }

    /// Live leases and their jobs.
    pub(crate) fn leases(&self) -> impl Iterator<Item = (&Job, &Lease)> {
        let leases = self.index.leases().iter();
        leases.filter_map(|(&id, number)| {
            let job = self.jobs.get(*number)?;
            Some((job, job.lease(id)?))
        })
    }

    /// Leased jobs, each with the older of its leases.
    pub(crate) fn leased_jobs(&self) -> impl Iterator<Item = (&Job, &Lease)> {
        self.leases()
            .filter(|(job, lease)| job.leases().next() == Some(*lease))
    }

    /// Live leases of one worker.
    pub(crate) fn leases_of(&self, worker: &WorkerId) -> impl Iterator<Item = (&Job, &Lease)> {
        let held = self.index.held_by(worker);
        let jobs = held.filter_map(|number| self.jobs.get(*number));
        jobs.flat_map(move |job| {
            let theirs = job.leases().filter(move |lease| lease.worker == *worker);
            theirs.map(move |lease| (job, lease))
        })
    }

    /// The job of a live lease.
    pub(crate) fn leased_job(&self, lease: LeaseId) -> Option<&Job> {
        self.jobs.get(*self.index.leases().get(&lease)?)
    }

    /// Ready jobs grouped by what placement looks at.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = (Lane, &Line)> {
        self.index.lanes()
    }

    /// The lanes a ready job stands in.
    pub(crate) fn lanes_of(&self, job: &Job) -> impl Iterator<Item = Lane> {
        index::lanes_of(job, &self.sweeps)
    }

    /// What the jobs of a lane have in common.
    pub(crate) fn lane_profile(&self, lane: Lane) -> Option<&Profile> {
        self.profiles.get(lane.profile)
    }

    /// How many of a sweep's jobs stand where; `None` for sweeps nobody knows.
    pub(crate) fn tally(&self, sweep: &SweepId) -> Option<&Tally> {
        self.index.tally(self.sweeps.number(sweep)?)
    }

    /// How many attempts at a sweep's jobs run.
    pub(crate) fn running(&self, sweep: &SweepId) -> u32 {
        let leased = self
            .tally(sweep)
            .map_or(0, |tally| tally.in_state(JobState::Leased));
        let raced = self
            .sweeps
            .number(sweep)
            .map_or(0, |sweep| self.index.raced(sweep));
        leased + raced
    }

    /// The most generous policy among the sweeps that list the job.
    pub(crate) fn retry_policy(&self, job: &Job) -> Option<&RetryPolicy> {
        self.listing(job)
            .map(|sweep| &sweep.retry)
            .max_by_key(|policy| policy.attempts)
    }

    /// Whether every job that this one reads has succeeded.
    pub(crate) fn is_fed(&self, job: &Job) -> bool {
        let mut upstream = job.upstream.iter().map(|number| self.jobs.get(*number));
        upstream.all(|job| job.is_some_and(|job| matches!(job.phase, Phase::Succeeded { .. })))
    }

    /// The first upstream job that will bring nothing.
    fn dead_upstream(&self, job: &Job) -> Option<JobNo> {
        let is_dead = |number: &&JobNo| {
            let job = self.jobs.get(**number);
            job.is_some_and(|job| matches!(job.phase, Phase::Failed(_) | Phase::Aborted { .. }))
        };
        job.upstream.iter().find(is_dead).copied()
    }

    /// Tells a job's upstream that it reads them.
    fn link(&mut self, number: JobNo) {
        let Some(job) = self.jobs.get(number) else { return };
        for upstream in &job.upstream.clone() {
            if let Some(upstream) = self.jobs.get_mut(*upstream) {
                upstream.downstream.insert(number);
            }
        }
    }

    /// Refuses a lease that is no longer good for the job, with the reason.
    pub(crate) fn live_lease(&self, job: JobKey, lease: LeaseId) -> Result<&Lease, Refusal> {
        let known = self
            .job(job)
            .ok_or_else(|| Refusal::UnknownJob(job.to_string()))?;
        known.lease(lease).ok_or_else(|| Refusal::StaleLease {
            job,
            lease,
            reason: known.why_stale(lease),
        })
    }
}
