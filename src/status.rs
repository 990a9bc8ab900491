//! What people are shown of sweeps, jobs and workers while they run.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::clock::Timestamp;
use crate::ids::{Attempt, JobKey, SweepId, WorkerId};
use crate::job::{DeviceFacts, Failure, JobState, Progress, Stage};

/// Where a sweep stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepState {
    /// Some job has not ended.
    Running,
    /// Every job succeeded.
    Succeeded,
    /// All jobs ended and at least one failed.
    Failed,
    /// A user ended it.
    Cancelled,
}

impl SweepState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// Whether nothing more will happen unless a user asks.
    pub fn has_ended(self) -> bool {
        self != Self::Running
    }

    /// The word used in messages and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for SweepState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A sweep at a glance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepStatus {
    /// The sweep.
    pub sweep: SweepId,
    /// The manifest's name.
    pub name: String,
    /// Where it stands.
    pub state: SweepState,
    /// When it was first submitted.
    pub submitted: Timestamp,
    /// When its last job ended.
    pub finished: Option<Timestamp>,
    /// Counts, in the order of the stages; a stage without jobs is absent.
    pub stages: Vec<StageStatus>,
    /// Estimated time to the end; `None` while nothing was measured.
    #[serde(rename = "eta_ms", serialize_with = "as_millis")]
    pub eta: Option<Duration>,
    /// The latest few things worth a line: retries, quarantines, failures.
    pub notices: Vec<String>,
}

impl SweepStatus {
    /// A count over all stages. The numbers may come from a peer, so they are not trusted to fit.
    pub fn total(&self, count: impl Fn(&StageStatus) -> u32) -> u32 {
        self.stages.iter().map(count).fold(0, u32::saturating_add)
    }
}

/// A stage of a sweep in numbers of jobs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageStatus {
    /// The stage.
    pub stage: Stage,
    /// Waiting for upstream jobs.
    pub blocked: u32,
    /// Ready to run.
    pub ready: u32,
    /// Held by workers.
    pub leased: u32,
    /// With a receipt.
    pub succeeded: u32,
    /// Of the succeeded: done before this sweep asked.
    pub reused: u32,
    /// Beyond help.
    pub failed: u32,
    /// Never run, because an upstream job failed.
    pub aborted: u32,
    /// Ended by a user.
    pub cancelled: u32,
    /// Sum over jobs that workers hold of done / of, between 0 and `leased`.
    pub in_flight: f64,
}

impl StageStatus {
    /// A stage without jobs.
    pub fn empty(stage: Stage) -> Self {
        Self {
            stage,
            blocked: 0,
            ready: 0,
            leased: 0,
            succeeded: 0,
            reused: 0,
            failed: 0,
            aborted: 0,
            cancelled: 0,
            in_flight: 0.0,
        }
    }

    /// Jobs in all. The numbers may come from a peer, so they are not trusted to fit.
    pub fn jobs(&self) -> u32 {
        let unended = [self.blocked, self.ready, self.leased];
        let ended = [self.succeeded, self.failed, self.aborted, self.cancelled];
        unended.into_iter().chain(ended).fold(0, u32::saturating_add)
    }
}

/// A sweep with all its jobs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepDetail {
    /// At a glance.
    pub status: SweepStatus,
    /// Its jobs, by stage and label.
    pub jobs: Vec<JobStatus>,
}

/// A job at a glance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobStatus {
    /// The job.
    pub job: JobKey,
    /// For people: method, concept, stage and matrix point.
    pub label: String,
    /// Its stage.
    pub stage: Stage,
    /// Where it stands.
    pub state: JobState,
    /// Who holds it, or who made it.
    pub worker: Option<WorkerId>,
    /// Attempts begun so far.
    pub attempts: u32,
    /// How far the present attempt has come.
    pub progress: Option<Progress>,
    /// Why it waits or how it failed, in one line.
    pub reason: Option<String>,
}

/// Everything about a job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobDetail {
    /// At a glance.
    pub status: JobStatus,
    /// Its attempts, in order.
    pub attempts: Vec<AttemptRecord>,
    /// What it reads: a [`JobSpec`](crate::spec::JobSpec) as JSON.
    pub spec_json: String,
    /// The document `jobs/<key>/receipt.json`, once there is one.
    pub receipt_json: Option<String>,
}

/// One attempt at a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptRecord {
    /// Counted from 1.
    pub attempt: Attempt,
    /// Who made it.
    pub worker: WorkerId,
    /// When its lease was granted.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it failed; `None` while running, on success and when the worker gave the lease back.
    pub failure: Option<Failure>,
}

/// A worker as the coordinator sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkerStatus {
    /// The worker.
    pub worker: WorkerId,
    /// What it computes on.
    pub device: DeviceFacts,
    /// How many jobs it runs at once.
    pub slots: u32,
    /// What it runs.
    pub jobs: Vec<JobKey>,
    /// When it last said anything.
    pub last_seen: Timestamp,
    /// `None`, or why it gets no work: quarantined, cordoned, draining, silent.
    pub condition: Option<String>,
    /// Its program's version.
    pub version: String,
}

/// A line that an attempt wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// When it reached the coordinator.
    pub at: Timestamp,
    /// Which attempt wrote it.
    pub attempt: Attempt,
    /// On which worker.
    pub worker: WorkerId,
    /// The line, without its line end.
    pub text: String,
}

#[expect(clippy::ref_option, reason = "serde hands fields over by reference")]
fn as_millis<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    span.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
        .serialize(serializer)
}
