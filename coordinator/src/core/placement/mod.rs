//! Which ready job goes to which asking worker: a pure function of what is ready and who asks.
//!
//! A job must fit the worker, its back-off must be over, its sweep must be below its limit, and the worker must not be
//! one the job is to be tried elsewhere than. Among those, in this order: the higher priority · a sweep that has nothing
//! running (nobody of equal priority starves) · a sweep that is behind · the upstream's outputs are at hand, as long as
//! longer jobs are left in plenty · the models are loaded in the job's precision, or else their files are at hand · the
//! sweep that has fewest jobs running for its share · the older sweep · the longer job, by measured durations · the
//! upstream's outputs are at hand.
//!
//! A sweep is behind if it would have no more for its share with one job more than the sweep whose models the worker has
//! at hand, of whose jobs an eighth does not count. So workers change models until the shares hold, from sweeps with more
//! to sweeps with less, and then each goes on with what it has: see [`contender`].
//!
//! To follow an adapter to its samples brings results early and saves a transfer. Were it done to the end, the last jobs to
//! begin would be long ones, and most workers would wait for them (`benches/makespan`).
//!
//! Who gets nothing that way may race an attempt that runs late: see [`copies`].
//!
//! The cost of one placement grows with the number of [`Lane`](super::state::Lane)s and of kinds of workers, and not
//! with the number of jobs or workers.

mod contender;
mod copies;
mod draft;
mod offer;
mod queue;

use vico::clock::Timestamp;
use vico::ids::{JobKey, WorkerId};

use super::floor::Worker;
use super::state::{Job, JobNo};
use super::{Ask, Brain};
use draft::Draft;

/// One job for one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) job: JobKey,
    pub(crate) worker: WorkerId,
}

impl Brain {
    /// Hands ready jobs to those who asked, best fit first, until no job or no room is left.
    pub(crate) fn place(&self, asks: &[Ask], now: Timestamp) -> Vec<Placed> {
        let mut draft = Draft::new(self, asks, now);
        std::iter::from_fn(|| draft.place_one()).collect()
    }

    /// How many jobs an asking worker may get now.
    fn room(&self, ask: &Ask, now: Timestamp) -> u32 {
        let Some(worker) = self.floor.worker(&ask.worker) else {
            return 0;
        };
        if !self.takes_work(&ask.worker, worker, now) {
            return 0;
        }
        let held = self.state.leases_of(&ask.worker).count() as u32;
        ask.max.min(worker.slots.saturating_sub(held))
    }

    /// Whether a worker may have new work, as far as users and its own failures are concerned.
    pub(crate) fn takes_work(&self, id: &WorkerId, worker: &Worker, now: Timestamp) -> bool {
        let until = self.state.worker_record(id).quarantined_until;
        let is_quarantined = until.is_some_and(|until| now < until);
        !worker.draining && !is_quarantined && !self.state.is_cordoned(id)
    }

    /// Connected workers that may get work and could run the job.
    pub(crate) fn fitting_workers(
        &self,
        job: &Job,
        now: Timestamp,
    ) -> impl Iterator<Item = (&WorkerId, &Worker)> {
        let profile = self.state.profile(job);
        self.floor.workers().filter(move |(id, worker)| {
            let fits = profile.is_some_and(|profile| worker.fits(&profile.resources));
            fits && self.floor.is_present(worker, now) && self.takes_work(id, worker, now)
        })
    }

    /// Whether the job should rather run on another worker that is there.
    fn spares(&self, job: JobNo, worker: &WorkerId, now: Timestamp) -> bool {
        let Some(job) = self.state.numbered(job) else {
            return true;
        };
        job.avoids(worker)
            && self
                .fitting_workers(job, now)
                .any(|(other, _)| !job.avoids(other))
    }
}
