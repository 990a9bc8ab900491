//! Workers come, come back, and say what they hold.

use vico::clock::Timestamp;
use vico::ids::{LeaseId, WorkerId};
use vico::job::{Failure, FailureClass, Introduction};

use super::attempts::returned;
use crate::core::{Brain, Event, Refusal};

/// What workers are compared with.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Brain {
    /// A worker keeps what it holds if the lease is live. What it no longer holds ends here: lost, where its process
    /// was started anew; given back, where the grant never reached it. The first time that this coordinator hears of a worker
    /// it cannot tell which, and neither the job nor the worker is to pay for a restart of the coordinator.
    pub(super) fn decide_register(&self, who: &Introduction, at: Timestamp) -> Result<Vec<Event>, Refusal> {
        self.check_introduction(who)?;
        let worker = &who.session.worker;
        let before = self.floor.worker(worker).map(|worker| &worker.session);
        let may_be_same = before.is_none_or(|session| *session == who.session.nonce) || !who.held.is_empty();
        let dropped = self.state.leases_of(worker).filter(|(_, lease)| {
            !who.held.iter().any(|held| held.lease == lease.id) && !self.floor.is_committing(lease)
        });
        let ended = dropped.map(|(job, lease)| {
            if may_be_same {
                return returned(job, lease, "the worker does not hold it", at);
            }
            let failure = Failure {
                class: FailureClass::WorkerLost,
                message: format!("worker {worker} was started anew"),
            };
            let others = job.leases().count() > 1;
            self.failed((job, lease), failure, others, at)
        });
        Ok(ended.collect())
    }

    /// Only workers that are there: a slip of the pen would keep nobody from anything. Twice is harmless.
    pub(super) fn decide_cordon(&self, worker: &WorkerId) -> Result<Vec<Event>, Refusal> {
        if self.state.is_cordoned(worker) {
            return Ok(Vec::new());
        }
        if self.floor.worker(worker).is_none() {
            return Err(Refusal::UnknownWorker(worker.to_string()));
        }
        let worker = worker.clone();
        Ok(vec![Event::WorkerCordoned { worker }])
    }

    /// A cordon outlives its worker, so that it can be lifted while nobody of that name is there.
    pub(super) fn decide_uncordon(&self, worker: &WorkerId) -> Result<Vec<Event>, Refusal> {
        if self.state.is_cordoned(worker) {
            let worker = worker.clone();
            return Ok(vec![Event::WorkerUncordoned { worker }]);
        }
        match self.floor.worker(worker) {
            Some(_) => Ok(Vec::new()),
            None => Err(Refusal::UnknownWorker(worker.to_string())),
        }
    }

    /// Held leases that are no longer good.
    pub(crate) fn revoked(&self, who: &Introduction) -> Vec<LeaseId> {
        let worker = &who.session.worker;
        let stale = who
            .held
            .iter()
            .filter(|held| self.held(worker, held.job, held.lease).is_err());
        stale.map(|held| held.lease).collect()
    }

    fn check_introduction(&self, who: &Introduction) -> Result<(), Refusal> {
        let worker = who.session.worker.clone();
        if self.floor.is_superseded(&who.session) {
            return Err(Refusal::Superseded(worker));
        }
        if who.slots == 0 {
            return Err(Refusal::NoSlots(worker));
        }
        if !compatible(&who.version) {
            return Err(Refusal::OtherVersion {
                worker,
                found: who.version.clone(),
                expected: VERSION,
            });
        }
        Ok(())
    }
}

/// Whether a version agrees with ours in all but the patch.
fn compatible(version: &str) -> bool {
    let series = |version: &str| version.rsplit_once('.').map(|(series, _)| series.to_owned());
    series(version).is_some() && series(version) == series(VERSION)
}
