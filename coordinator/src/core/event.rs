//! What happened: the journal's vocabulary. Every change of [`super::State`] is one of these.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vico::clock::Timestamp;
use vico::digest::Digest;
use vico::ids::{Attempt, JobKey, LeaseId, SweepId, WorkerId};
use vico::job::{Failure, Outputs, Resources, Stage};
use vico::plan::{RetryPolicy, Scheduling};

use super::few::Few;

/// A fact. Changing a variant changes the journal: raise [`super::format::VERSION`]. A new one goes to the end, which leaves
/// the bytes of all others as they are: then older journals stay readable, and the version as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    /// A sweep was taken in.
    SweepAdded {
        /// The sweep with its jobs; copies of the event share it.
        sweep: Arc<AddedSweep>,
        /// When.
        at: Timestamp,
    },
    /// A lease was granted; this begins an attempt.
    AttemptStarted {
        /// The job.
        job: JobKey,
        /// Its new lease, higher than all before.
        lease: LeaseId,
        /// Which try this is.
        attempt: Attempt,
        /// Who got it.
        worker: WorkerId,
        /// When.
        at: Timestamp,
    },
    /// An attempt failed.
    AttemptFailed {
        /// The job.
        job: JobKey,
        /// The lease that ended.
        lease: LeaseId,
        /// What went wrong.
        failure: Failure,
        /// What follows.
        next: Next,
        /// When.
        at: Timestamp,
    },
    /// An attempt ended unfinished and nobody is to blame.
    AttemptReturned {
        /// The job.
        job: JobKey,
        /// The lease that ended.
        lease: LeaseId,
        /// Why, for people.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// A job's receipt exists.
    JobSucceeded {
        /// The job.
        job: JobKey,
        /// The lease in the receipt.
        lease: LeaseId,
        /// The worker in the receipt.
        worker: WorkerId,
        /// When the coordinator learned of it.
        at: Timestamp,
    },
    /// A worker gets no work for a while.
    WorkerQuarantined {
        /// The worker.
        worker: WorkerId,
        /// When it may try again.
        until: Timestamp,
    },
    /// A user keeps a worker from new work.
    WorkerCordoned {
        /// The worker.
        worker: WorkerId,
    },
    /// A user lets a worker have work again.
    WorkerUncordoned {
        /// The worker.
        worker: WorkerId,
    },
    /// A user ended a sweep.
    SweepCancelled {
        /// The sweep.
        sweep: SweepId,
        /// When.
        at: Timestamp,
    },
    /// A user wanted ended jobs tried again.
    SweepRetried {
        /// The sweep.
        sweep: SweepId,
        /// The failed and cancelled jobs that get a fresh budget; aborted ones follow from them.
        jobs: Vec<JobKey>,
        /// When.
        at: Timestamp,
    },
    /// A user gave a sweep another place among the others.
    SweepRescheduled {
        /// The sweep.
        sweep: SweepId,
        /// Its new place.
        scheduling: Scheduling,
    },
    /// A sweep's results lie in the bucket.
    SweepPublished {
        /// The sweep.
        sweep: SweepId,
    },
    /// A user gave a sweep's jobs another number of attempts, or other waits between them.
    RetryPolicyChanged {
        /// The sweep.
        sweep: SweepId,
        /// How often its jobs are tried from now on.
        retry: RetryPolicy,
    },
    /// A user said otherwise what a sweep's jobs need.
    JobsReprofiled {
        /// The sweep.
        sweep: SweepId,
        /// What is the same in many of them, each once.
        profiles: Vec<Profile>,
        /// Those that need something else than before.
        jobs: Vec<Reprofiled>,
        /// When.
        at: Timestamp,
    },
}

/// A job in somebody's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) job: JobKey,
    pub(crate) lease: LeaseId,
    pub(crate) attempt: Attempt,
    pub(crate) worker: WorkerId,
}

impl Event {
    /// What it gives to whom, if it is a grant.
    pub(crate) fn granted(&self) -> Option<Granted> {
        let Self::AttemptStarted {
            job,
            lease,
            attempt,
            worker,
            ..
        } = self
        else {
            return None;
        };
        Some(Granted {
            job: *job,
            lease: *lease,
            attempt: *attempt,
            worker: worker.clone(),
        })
    }
}

/// What follows a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Next {
    /// Another attempt.
    Retry {
        /// Not earlier than this.
        not_before: Timestamp,
        /// On another worker, if there is one.
        elsewhere: bool,
    },
    /// None: no attempt can help, or none is left.
    GiveUp,
    /// Nothing: another attempt at the job goes on, and this one costs it nothing.
    OtherGoesOn,
}

/// A sweep as it was taken in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AddedSweep {
    /// Its id.
    pub(crate) id: SweepId,
    /// The manifest's name.
    pub(crate) name: String,
    /// How often its jobs are tried.
    pub(crate) retry: RetryPolicy,
    /// Its place among other sweeps.
    pub(crate) scheduling: Scheduling,
    /// What is the same in many of its jobs, each once.
    pub(crate) profiles: Vec<Profile>,
    /// Its jobs.
    pub(crate) jobs: Vec<AddedJob>,
    /// Those whose receipt was there already.
    pub(crate) done: Vec<Place>,
}

/// A job's place in [`AddedSweep::jobs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place(pub(crate) u32);

/// A job as it was taken in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AddedJob {
    /// Its key.
    pub(crate) key: JobKey,
    /// For people.
    pub(crate) label: Box<str>,
    /// Its place in [`AddedSweep::profiles`].
    pub(crate) profile: u32,
    /// The jobs whose outputs it reads.
    pub(crate) upstream: Few<Place>,
}

/// What a known job needs from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reprofiled {
    /// Its place among the sweep's jobs.
    pub(crate) job: Place,
    /// Its profile's place among those told with it.
    pub(crate) profile: u32,
}

/// What is the same in many jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// Its stage.
    pub(crate) stage: Stage,
    /// What it needs of a worker.
    pub(crate) resources: Resources,
    /// What a worker has at hand that has loaded its models: networks and files.
    pub(crate) models: Vec<Digest>,
    /// What it makes.
    pub(crate) outputs: Outputs,
}
