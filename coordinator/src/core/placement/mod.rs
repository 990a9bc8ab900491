//! Which ready job goes to which asking worker: a pure function of what is ready and who asks.
//!
//! A job must fit the worker, its back-off must be over, and the worker must not be one the job is to be tried
//! elsewhere than. Among those, in this order: a sweep that has nothing running (nobody starves) · the models are at
//! hand · the upstream's outputs are at hand · the sweep that has fewest jobs running · the older sweep · the longer
//! job, by measured durations.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vico::clock::Timestamp;
use vico::ids::{JobKey, SweepId, WorkerId};

use super::floor::Worker;
use super::state::{Job, Lane, lanes_of};
use super::{Ask, Brain, eta};

/// One job for one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) job: JobKey,
    pub(crate) worker: WorkerId,
}

/// How well a job suits a worker: the fields in order of weight, greater is better.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    starved: bool,
    has_models: bool,
    has_upstream: bool,
    fewest_running: Reverse<usize>,
    oldest: Reverse<Timestamp>,
    longest: Duration,
    /// No preference; makes the choice a function of its inputs.
    job: Reverse<JobKey>,
}

/// What would change if everything placed so far were granted.
struct Draft<'a> {
    brain: &'a Brain,
    now: Timestamp,
    taken: BTreeSet<JobKey>,
    running: BTreeMap<SweepId, usize>,
}

impl Brain {
    /// Hands ready jobs to those who asked, best fit first, until no job or no room is left.
    pub(crate) fn place(&self, asks: &[Ask], now: Timestamp) -> Vec<Placed> {
        let mut draft = Draft::new(self, now);
        let mut room: Vec<u32> = asks.iter().map(|ask| self.room(ask, now)).collect();
        let mut placed: Vec<Placed> = Vec::new();
        loop {
            let open = asks.iter().enumerate().filter(|&(i, _)| room[i] > 0);
            let offers = open.filter_map(|(i, ask)| draft.best(&ask.worker).map(|rank| (rank, i)));
            let Some((rank, i)) = offers.max() else {
                return placed;
            };
            let job = rank.job.0;
            room[i] -= 1;
            draft.take(job);
            let worker = asks[i].worker.clone();
            placed.push(Placed { job, worker });
        }
    }

    /// How many jobs an asking worker may get now.
    fn room(&self, ask: &Ask, now: Timestamp) -> u32 {
        let Some(worker) = self.floor.worker(&ask.worker) else {
            return 0;
        };
        if worker.draining || self.is_quarantined(&ask.worker, now) {
            return 0;
        }
        let held = self.state.leases_of(&ask.worker).count() as u32;
        ask.max.min(worker.slots.saturating_sub(held))
    }

    /// Whether a worker gets no work for now.
    pub(crate) fn is_quarantined(&self, worker: &WorkerId, now: Timestamp) -> bool {
        let until = self.state.worker_record(worker).quarantined_until;
        until.is_some_and(|until| now < until)
    }

    /// Connected workers that may get work and could run the job.
    pub(crate) fn fitting_workers(
        &self,
        job: &Job,
        now: Timestamp,
    ) -> impl Iterator<Item = (&WorkerId, &Worker)> {
        let demand = job.resources.clone();
        self.floor.workers().filter(move |(id, worker)| {
            let willing = self.floor.is_present(worker, now) && !worker.draining;
            willing && worker.fits(&demand) && !self.is_quarantined(id, now)
        })
    }

    /// Whether the job should rather run on another worker that is there.
    fn spares(&self, job: &Job, worker: &WorkerId, now: Timestamp) -> bool {
        let avoided = |id: &WorkerId| job.avoid.contains(id);
        avoided(worker) && self.fitting_workers(job, now).any(|(other, _)| !avoided(other))
    }
}

impl<'a> Draft<'a> {
    fn new(brain: &'a Brain, now: Timestamp) -> Self {
        let mut running = BTreeMap::new();
        for (job, _) in brain.state.leases() {
            for sweep in &job.wanted_by {
                *running.entry(sweep.clone()).or_default() += 1;
            }
        }
        Self {
            brain,
            now,
            taken: BTreeSet::new(),
            running,
        }
    }

    fn take(&mut self, key: JobKey) {
        self.taken.insert(key);
        let wanted_by = self
            .brain
            .state
            .job(key)
            .into_iter()
            .flat_map(|job| &job.wanted_by);
        for sweep in wanted_by {
            *self.running.entry(sweep.clone()).or_default() += 1;
        }
    }

    /// The best job for a worker.
    fn best(&self, id: &WorkerId) -> Option<Rank> {
        let worker = self.brain.floor.worker(id)?;
        let fitting = || {
            self.brain
                .state
                .lanes()
                .filter(|(lane, _)| worker.fits(&lane.resources))
        };
        let first = |(lane, queue): (&Lane, &BTreeSet<(Timestamp, JobKey)>)| {
            let mut due = queue.iter().take_while(|(not_before, _)| *not_before <= self.now);
            let (_, key) = due.find(|(_, key)| self.is_open(*key, id))?;
            Some(self.ranked(worker, lane, *key))
        };
        let near = worker
            .at_hand
            .iter()
            .flat_map(|digest| self.brain.state.downstream(JobKey(*digest)));
        let near: BTreeSet<&JobKey> = near.collect();
        let near = near.into_iter().flat_map(|key| self.offers_of(worker, id, *key));
        fitting().filter_map(first).chain(near).max()
    }

    /// A job whose upstream is at hand, as each of its sweeps would have it.
    fn offers_of(&self, worker: &Worker, id: &WorkerId, key: JobKey) -> Vec<Rank> {
        let Some(job) = self.brain.state.job(key) else {
            return Vec::new();
        };
        if !job.is_due(self.now) || !worker.fits(&job.resources) || !self.is_open(key, id) {
            return Vec::new();
        }
        let lanes = lanes_of(job);
        lanes.map(|lane| self.ranked(worker, &lane, key)).collect()
    }

    fn is_open(&self, key: JobKey, worker: &WorkerId) -> bool {
        let job = self.brain.state.job(key);
        !self.taken.contains(&key) && job.is_some_and(|job| !self.brain.spares(job, worker, self.now))
    }

    fn ranked(&self, worker: &Worker, lane: &Lane, key: JobKey) -> Rank {
        let state = &self.brain.state;
        let running = self.running.get(&lane.sweep).copied().unwrap_or(0);
        let sweep = state.sweep(&lane.sweep);
        let upstream = state
            .job(key)
            .map(|job| job.upstream.as_slice())
            .unwrap_or_default();
        Rank {
            starved: running == 0,
            has_models: lane.models.iter().all(|model| worker.at_hand.contains(model)),
            has_upstream: upstream.iter().any(|job| worker.at_hand.contains(&job.0)),
            fewest_running: Reverse(running),
            oldest: Reverse(sweep.map_or(Timestamp(u64::MAX), |sweep| sweep.submitted)),
            longest: eta::expected(sweep, lane.stage),
            job: Reverse(key),
        }
    }
}
