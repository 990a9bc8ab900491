//! Second attempts beside attempts that run late.
//!
//! Towards the end of a sweep workers find nothing to do while the last jobs run, and one of those may run on a machine that
//! has become slow. A job is tried a second time, on a worker that would otherwise idle, if the running attempt will
//! need clearly longer for what is left, at the pace it has shown, than jobs of its stage have taken from start to end. The
//! first receipt wins; the other attempt learns that its lease is gone.
//!
//! What becomes ready later waits for workers that race, as it does for any that are busy. A job's pace is measured within its
//! attempt, from report to report: what it took from a checkpoint and the time to load are no part of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use vico::clock::Timestamp;
use vico::ids::WorkerId;

use super::Placed;
use crate::core::state::{Job, Lease, SweepNo, Timing};
use crate::core::{Ask, Brain};

/// So many attempts at a stage must have ended in the sweep before it is known what late is.
const MEASURED: u32 = 3;
/// What is left must take so many times as long as a fresh attempt. Jobs of a stage differ: methods train longer or
/// shorter, and a worker that begins has to load what the other one has.
const CLEARLY: f64 = 1.5;

/// A job that runs late.
struct Late<'a> {
    job: &'a Job,
    holder: &'a WorkerId,
    left: Duration,
}

impl Brain {
    /// Second attempts for those who ask, the latest jobs first.
    pub(crate) fn copies(&self, asks: &[Ask], now: Timestamp) -> Vec<Placed> {
        if !self.settings.copies || asks.is_empty() {
            return Vec::new();
        }
        let mut late: Vec<Late> = self
            .state
            .leases()
            .filter_map(|(job, lease)| self.late(job, lease))
            .collect();
        late.sort_by_key(|late| (Reverse(late.left), late.job.key));
        let mut late = VecDeque::from(late);
        let mut more = BTreeMap::new();
        let mut placed = Vec::new();
        for ask in asks {
            let room = self.room(ask, now) as usize;
            // Until there is nothing for it: what a worker says of its room is only its word.
            let copies = std::iter::from_fn(|| self.copy_for(&ask.worker, &mut late, &mut more));
            placed.extend(copies.take(room));
        }
        placed
    }

    /// The latest job that suits the worker, which is taken out. `more` are attempts that its sweeps get on top.
    fn copy_for(
        &self,
        worker: &WorkerId,
        late: &mut VecDeque<Late>,
        more: &mut BTreeMap<SweepNo, u32>,
    ) -> Option<Placed> {
        let asking = self.floor.worker(worker)?;
        let suits = |late: &Late| {
            let profile = self.state.profile(late.job);
            let fits = profile.is_some_and(|profile| asking.fits(&profile.resources));
            fits && late.holder != worker && self.is_within_limits(late.job, more)
        };
        let place = late.iter().position(suits)?;
        let job = late.remove(place)?.job;
        for sweep in &job.listed_by {
            *more.entry(*sweep).or_default() += 1;
        }
        let worker = worker.clone();
        Some(Placed { job: job.key, worker })
    }

    /// Whether some sweep that wants the job may have one more attempt running.
    fn is_within_limits(&self, job: &Job, more: &BTreeMap<SweepNo, u32>) -> bool {
        let mut wanting = job.listed_by.iter().filter_map(|number| {
            let sweep = self.state.numbered_sweep(*number)?;
            (!sweep.cancelled).then_some((number, sweep))
        });
        wanting.any(|(number, sweep)| {
            let running = self.state.running(&sweep.id) + more.get(number).copied().unwrap_or(0);
            sweep.reached_limit(running).is_none()
        })
    }

    /// The job, if its attempt runs late and it may have a second one.
    fn late<'a>(&self, job: &'a Job, lease: &'a Lease) -> Option<Late<'a>> {
        if !job.may_be_raced() {
            return None;
        }
        let left = self.floor.left(lease.id)?;
        let mut wanting = self.state.wanting(job);
        let pays = wanting.any(|sweep| {
            let timing = sweep.timings.get(&job.stage);
            let timing = timing.filter(|timing| timing.count() >= MEASURED);
            let fresh = timing.and_then(Timing::mean);
            fresh.is_some_and(|fresh| left > fresh.mul_f64(CLEARLY))
        });
        let holder = &lease.worker;
        pays.then_some(Late { job, holder, left })
    }
}
