//! Why the brain says no.

use vico::ids::{JobKey, LeaseId, SweepId, WorkerId};

/// A wish that cannot be granted. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// No such sweep.
    #[error("there is no sweep `{0}`")]
    UnknownSweep(String),
    /// No such job.
    #[error("there is no job `{0}`")]
    UnknownJob(String),
    /// No such worker.
    #[error("there is no worker `{0}`")]
    UnknownWorker(String),
    /// Too little to tell jobs apart.
    #[error("`{0}` is too short to name a job: give at least four digits of its key")]
    ShortPrefix(String),
    /// Several jobs begin with it.
    #[error("`{prefix}` could be any of {matches} jobs: give more digits")]
    AmbiguousJob {
        /// What was given.
        prefix: String,
        /// How many jobs it fits.
        matches: usize,
    },
    /// The worker never registered here, or long ago.
    #[error("worker `{0}` is not registered in this session")]
    UnknownSession(WorkerId),
    /// A newer process took the name.
    #[error("another process registered as worker `{0}` after this one")]
    Superseded(WorkerId),
    /// A worker without room for a job.
    #[error("worker `{0}` has no slots")]
    NoSlots(WorkerId),
    /// The worker's program is of another version.
    #[error(
        "worker `{worker}` has version {found}, the coordinator {expected}: versions must agree in all but the patch"
    )]
    OtherVersion {
        /// The worker.
        worker: WorkerId,
        /// Its version.
        found: String,
        /// The coordinator's.
        expected: &'static str,
    },
    /// The lease is no longer good.
    #[error("lease {lease} of job {} is no longer good: {reason}", job.0.short())]
    StaleLease {
        /// The job.
        job: JobKey,
        /// The lease.
        lease: LeaseId,
        /// What ended it.
        reason: String,
    },
    /// The lease's receipt is being written.
    #[error("the receipt of job {} under lease {lease} is being written: ask again", job.0.short())]
    BeingCommitted {
        /// The job.
        job: JobKey,
        /// The lease.
        lease: LeaseId,
    },
    /// A plan that misses a job.
    #[error("job {} of sweep `{sweep}` reads job {}, which is not in the plan", job.0.short(), upstream.0.short())]
    OpenPlan {
        /// The sweep.
        sweep: SweepId,
        /// The reader.
        job: JobKey,
        /// What is missing.
        upstream: JobKey,
    },
    /// A plan against the order of the stages.
    #[error("job {} of sweep `{sweep}` reads job {}, which is not of an earlier stage", job.0.short(), upstream.0.short())]
    BackwardPlan {
        /// The sweep.
        sweep: SweepId,
        /// The reader.
        job: JobKey,
        /// What it reads.
        upstream: JobKey,
    },
    /// A sweep without jobs.
    #[error("sweep `{0}` has no jobs")]
    EmptyPlan(SweepId),
    /// Nothing left to cancel.
    #[error("sweep `{sweep}` has ended already: it {how}")]
    AlreadyEnded {
        /// The sweep.
        sweep: SweepId,
        /// `succeeded`, `failed` or `was cancelled`.
        how: &'static str,
    },
    /// Nothing that could be retried.
    #[error("sweep `{0}` has no such failed or cancelled job to retry")]
    NothingToRetry(SweepId),
    /// A class was given for a cancelled sweep.
    #[error("sweep `{0}` was cancelled: retry it without a failure class")]
    CancelledSweep(SweepId),
}
