//! Second attempts beside attempts that run late.
//!
//! Towards the end of a sweep workers find nothing to do while the last jobs run, and one of those may run on a machine that
//! has become slow. A job is tried a second time, on a worker that would otherwise idle, if the running attempt will
//! need clearly longer for what is left, at the pace it has shown, than jobs of its stage have taken from start to end. The
//! first receipt wins; the other attempt learns that its lease is gone. Whoever loses was idle anyway.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::Duration;

use vico::clock::Timestamp;
use vico::ids::WorkerId;

use super::Placed;
use crate::core::state::{Job, Lease, Timing};
use crate::core::{Ask, Brain, eta};

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
            .filter_map(|(job, lease)| self.late(job, lease, now))
            .collect();
        late.sort_by_key(|late| (Reverse(late.left), late.job.key));
        let mut late = VecDeque::from(late);
        let mut placed = Vec::new();
        for ask in asks {
            for _ in 0..self.room(ask, now) {
                placed.extend(self.copy_for(&ask.worker, &mut late));
            }
        }
        placed
    }

    /// The latest job that suits the worker, which is taken out.
    fn copy_for(&self, worker: &WorkerId, late: &mut VecDeque<Late>) -> Option<Placed> {
        let asking = self.floor.worker(worker)?;
        let suits = |late: &Late| {
            let profile = self.state.profile(late.job);
            late.holder != worker && profile.is_some_and(|profile| asking.fits(&profile.resources))
        };
        let place = late.iter().position(suits)?;
        let job = late.remove(place)?.job.key;
        let worker = worker.clone();
        Some(Placed { job, worker })
    }

    /// The job, if its attempt runs late and it may have a second one.
    fn late<'a>(&self, job: &'a Job, lease: &'a Lease, now: Timestamp) -> Option<Late<'a>> {
        job.unraced().filter(|unraced| unraced.id == lease.id)?;
        let elapsed = now.since(lease.since);
        let total = eta::projected(elapsed, self.floor.progress(lease.id)?)?;
        let left = total.saturating_sub(elapsed);
        let mut wanting = self.state.wanting(job);
        let pays = wanting.any(|sweep| {
            let running = self.state.running(&sweep.id);
            let timing = sweep.timings.get(&job.stage);
            let timing = timing.filter(|timing| timing.count() >= MEASURED);
            let fresh = timing.and_then(Timing::mean);
            sweep.reached_limit(running).is_none() && fresh.is_some_and(|fresh| left > fresh.mul_f64(CLEARLY))
        });
        let holder = &lease.worker;
        pays.then_some(Late { job, holder, left })
    }
}
