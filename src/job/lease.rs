//! A worker's time-limited right to a job, and what passes between its holder and the coordinator.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ids::{Attempt, JobKey, LeaseId, SweepId, WorkerId};
use crate::job::{BlobRef, DeviceFacts, Failure, Progress, Stage};

/// Who speaks: a worker, and which start of its process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Session {
    /// The worker.
    pub worker: WorkerId,
    /// Chosen at random when the process starts; tells a restarted worker from a reconnecting one.
    pub nonce: String,
}

/// How a worker introduces itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Introduction {
    /// Who it is.
    pub session: Session,
    /// Its program's version.
    pub version: String,
    /// What it computes on.
    pub device: DeviceFacts,
    /// How many jobs it runs at once.
    pub slots: u32,
    /// What it still holds, after a break in the connection or a restart of the coordinator.
    pub held: Vec<HeldLease>,
}

/// The coordinator's answer to an [`Introduction`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// URL of the bucket, for workers that were given none.
    pub bucket: String,
    /// How long a lease lives without renewal.
    pub lease_ttl: Duration,
    /// Held leases that are no longer good; their attempts must stop.
    pub revoked: Vec<LeaseId>,
}

/// A lease that a worker says it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLease {
    /// The job.
    pub job: JobKey,
    /// The lease.
    pub lease: LeaseId,
    /// The attempt it was granted for.
    pub attempt: Attempt,
}

/// A request for work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquire {
    /// Who asks.
    pub session: Session,
    /// How many jobs at most.
    pub max: u32,
    /// How long to wait for work.
    pub wait: Duration,
    /// What the worker has at hand: first the networks that are loaded, each with its model's identity, then identities of
    /// models and jobs whose bytes it has, most recent first.
    pub at_hand: Vec<Digest>,
}

/// A job handed to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The job.
    pub job: JobKey,
    /// The lease every message about it must carry.
    pub lease: LeaseId,
    /// Which try this is.
    pub attempt: Attempt,
    /// A sweep that wants it, for logs.
    pub sweep: SweepId,
    /// Its stage.
    pub stage: Stage,
    /// How often out of memory struck this job: the micro-batch is halved that many times.
    pub memory_halvings: u32,
}

/// A renewal of one lease, with what there is to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct LeaseReport {
    /// The job.
    pub job: JobKey,
    /// Its lease.
    pub lease: LeaseId,
    /// How far the attempt has come.
    pub progress: Progress,
    /// Log lines since the last renewal.
    pub log: Vec<String>,
}

/// Keeps a worker's leases alive.
#[derive(Clone, Debug, PartialEq)]
pub struct Renewal {
    /// Who holds them.
    pub session: Session,
    /// One entry a lease.
    pub reports: Vec<LeaseReport>,
}

/// The coordinator's answer to a [`Renewal`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// Leases that are no longer good.
    pub revoked: Vec<RevokedLease>,
    /// The worker should take no more work.
    pub drain: bool,
}

/// A lease that is no longer good: cancelled, expired, given to another, or another attempt finished first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedLease {
    /// The lease.
    pub lease: LeaseId,
    /// Why, for people.
    pub reason: String,
}

/// A request to commit a job's outputs, which already lie in the bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// Who holds the lease.
    pub session: Session,
    /// The job.
    pub job: JobKey,
    /// Its lease.
    pub lease: LeaseId,
    /// What was made, by name.
    pub outputs: BTreeMap<String, BlobRef>,
    /// The last log lines.
    pub log: Vec<String>,
}

/// The end of an attempt that did not work out.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedAttempt {
    /// Who holds the lease.
    pub session: Session,
    /// The job.
    pub job: JobKey,
    /// Its lease.
    pub lease: LeaseId,
    /// What went wrong.
    pub failure: Failure,
    /// The last log lines.
    pub log: Vec<String>,
}

/// Leases given back unfinished (drain, SIGTERM); not counted as failed attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Who gives them back.
    pub session: Session,
    /// Which.
    pub leases: Vec<LeaseId>,
    /// The worker is about to leave: all that it holds comes back, named or not.
    pub leaving: bool,
}
