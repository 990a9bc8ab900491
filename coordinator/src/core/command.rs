//! What may be asked of the brain.

use vico::ids::{JobKey, LeaseId, SweepId, WorkerId};
use vico::job::{Failure, FailureClass, Introduction, Receipt};

use super::NewSweep;

/// A wish; [`super::Brain::decide`] turns it into events or refuses it.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Take in a planned sweep, or join it where it is there already.
    AddSweep(NewSweep),
    /// A worker says who it is and what it holds.
    Register(Introduction),
    /// Hand out work to those who asked for it.
    Place(Vec<Ask>),
    /// Hand out second attempts at jobs that run late to those who asked for work and got none.
    Copy(Vec<Ask>),
    /// A receipt exists in the bucket: its job is done.
    Commit(Receipt),
    /// An attempt failed; refused while its receipt is being written.
    Fail {
        /// Who says so.
        worker: WorkerId,
        /// The job.
        job: JobKey,
        /// Its lease.
        lease: LeaseId,
        /// What went wrong.
        failure: Failure,
    },
    /// A worker gives leases back.
    Release {
        /// Who.
        worker: WorkerId,
        /// Which; those it does not hold, and those whose receipts are being written, are passed over.
        leases: Vec<LeaseId>,
    },
    /// A user keeps a worker from new work; what it holds it keeps.
    Cordon(WorkerId),
    /// A user lets a worker have work again.
    Uncordon(WorkerId),
    /// A user ends a sweep.
    Cancel(SweepId),
    /// A user wants failed and cancelled jobs tried again.
    Retry {
        /// The sweep.
        sweep: SweepId,
        /// Only failures of this class.
        class: Option<FailureClass>,
    },
    /// A sweep's results lie in the bucket.
    Published(SweepId),
    /// Time has passed.
    Tick,
}

/// A worker's wish for jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Who asks.
    pub(crate) worker: WorkerId,
    /// How many at most.
    pub(crate) max: u32,
}
