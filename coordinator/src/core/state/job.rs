//! A job as the coordinator remembers it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vico::clock::Timestamp;
use vico::digest::Digest;
use vico::ids::{Attempt, JobKey, LeaseId, SweepId, WorkerId};
use vico::job::{Failure, JobState, Resources, Stage};

use crate::core::NewJob;
use crate::core::few::Few;

/// Attempts remembered per job; older ones are forgotten, their numbers are not.
const REMEMBERED_TRIES: usize = 64;

/// One schedulable piece of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) key: JobKey,
    pub(crate) stage: Stage,
    /// For people.
    pub(crate) label: String,
    /// What it needs of a worker.
    pub(crate) resources: Resources,
    /// Identities of the models it loads.
    pub(crate) models: Arc<[Digest]>,
    /// The jobs whose outputs it reads; all of earlier stages.
    pub(crate) upstream: Vec<JobKey>,
    /// Every sweep that has it in its plan.
    pub(crate) listed_by: Few<SweepId>,
    /// Of those, the sweeps that were not cancelled. Nobody else needs the job.
    pub(crate) wanted_by: Few<SweepId>,
    pub(crate) phase: Phase,
    /// Attempts, oldest first.
    pub(crate) tries: Vec<Try>,
    /// Failures that count against the attempt budget.
    pub(crate) failures: u32,
    /// How often out of memory struck.
    pub(crate) memory_halvings: u32,
    /// Workers on which it failed and which others should spare.
    pub(crate) avoid: BTreeSet<WorkerId>,
}

/// Where the job stands; see [`JobState`] for the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Some upstream job has not succeeded, and none has failed.
    Blocked,
    /// Could run.
    Ready {
        /// The back-off's end; the moment it became ready where there is none.
        not_before: Timestamp,
    },
    /// A worker holds it.
    Leased(Lease),
    /// Its receipt exists.
    Succeeded {
        /// Who made it; `None` where the receipt was found.
        worker: Option<WorkerId>,
    },
    /// Beyond help.
    Failed(Failure),
    /// An upstream job failed.
    Aborted {
        /// Which.
        by: JobKey,
    },
    /// No sweep wants it any more.
    Cancelled,
}

/// A worker's right to a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lease {
    pub(crate) id: LeaseId,
    pub(crate) worker: WorkerId,
    pub(crate) attempt: Attempt,
    pub(crate) since: Timestamp,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Try {
    pub(crate) lease: LeaseId,
    pub(crate) attempt: Attempt,
    pub(crate) worker: WorkerId,
    pub(crate) started: Timestamp,
    /// When and how it ended.
    pub(crate) ended: Option<(Timestamp, Ending)>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ending {
    /// Its outputs are the job's.
    Succeeded,
    /// It did not work out.
    Failed(Failure),
    /// Nobody is to blame; the reason, for people.
    Returned(String),
}

impl Phase {
    /// The phase without its data.
    pub(crate) fn state(&self) -> JobState {
        match self {
            Self::Blocked => JobState::Blocked,
            Self::Ready { .. } => JobState::Ready,
            Self::Leased(_) => JobState::Leased,
            Self::Succeeded { .. } => JobState::Succeeded,
            Self::Failed(_) => JobState::Failed,
            Self::Aborted { .. } => JobState::Aborted,
            Self::Cancelled => JobState::Cancelled,
        }
    }
}

impl Job {
    /// A job that nobody wants yet.
    pub(super) fn new(planned: &NewJob, models: Arc<[Digest]>) -> Self {
        Self {
            key: planned.key,
            stage: planned.stage,
            label: planned.label.clone(),
            resources: planned.resources.clone(),
            models,
            upstream: planned.upstream.clone(),
            listed_by: Few::default(),
            wanted_by: Few::default(),
            phase: Phase::Cancelled,
            tries: Vec::new(),
            failures: 0,
            memory_halvings: 0,
            avoid: BTreeSet::new(),
        }
    }

    /// The live lease.
    pub(crate) fn lease(&self) -> Option<&Lease> {
        match &self.phase {
            Phase::Leased(lease) => Some(lease),
            _ => None,
        }
    }

    /// Whether it is ready and its back-off is over.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        matches!(self.phase, Phase::Ready { not_before } if not_before <= now)
    }

    /// The number of the next attempt.
    pub(crate) fn next_attempt(&self) -> Attempt {
        Attempt(self.attempts() + 1)
    }

    /// Attempts begun so far.
    pub(crate) fn attempts(&self) -> u32 {
        self.tries.last().map_or(0, |last| last.attempt.0)
    }

    /// Why `lease` is not the live one, for people.
    pub(crate) fn why_stale(&self, lease: LeaseId) -> String {
        let ended = self
            .tries
            .iter()
            .find(|tried| tried.lease == lease)
            .map(|tried| &tried.ended);
        match ended {
            Some(Some((_, Ending::Succeeded))) => "the job is done".to_owned(),
            Some(Some((at, Ending::Failed(failure)))) => {
                format!(
                    "the attempt ended at {at}: {}: {}",
                    failure.class, failure.message
                )
            }
            Some(Some((at, Ending::Returned(reason)))) => format!("the attempt ended at {at}: {reason}"),
            Some(None) | None => "this coordinator never granted it".to_owned(),
        }
    }

    pub(super) fn begin_try(&mut self, lease: &Lease) {
        if self.tries.len() == REMEMBERED_TRIES {
            self.tries.remove(0);
        }
        self.tries.push(Try {
            lease: lease.id,
            attempt: lease.attempt,
            worker: lease.worker.clone(),
            started: lease.since,
            ended: None,
        });
    }

    /// Ends the attempt under `lease`, unless it has ended; answers with how long it took.
    pub(super) fn end_try(
        &mut self,
        lease: LeaseId,
        at: Timestamp,
        ending: Ending,
    ) -> Option<std::time::Duration> {
        let open = |tried: &&mut Try| tried.lease == lease && tried.ended.is_none();
        let tried = self.tries.iter_mut().find(open)?;
        tried.ended = Some((at, ending));
        Some(at.since(tried.started))
    }

    pub(super) fn refresh_budget(&mut self) {
        self.failures = 0;
        self.avoid.clear();
    }
}
