//! What a job has been through. Most jobs of a large sweep wait and have no history, or a short one.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use vico::clock::Timestamp;
use vico::ids::{Attempt, LeaseId, WorkerId};
use vico::job::Failure;

use super::lease::Lease;
use super::names::Names;
use crate::core::few::Few;

/// Attempts remembered per job; of those that have ended, older ones are forgotten. Their numbers are not.
const REMEMBERED_TRIES: usize = 64;

/// A job's attempts and what follows from them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct History {
    /// Oldest first.
    pub(super) tries: Vec<Try>,
    /// Failures that count against the attempt budget.
    pub(super) failures: u32,
    /// How often out of memory struck.
    pub(super) memory_halvings: u32,
    /// Workers on which it failed and which others should spare.
    pub(super) avoid: Few<WorkerId>,
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
pub(crate) enum Ending {
    /// Its outputs are the job's.
    Succeeded,
    /// It did not work out.
    Failed(Box<Failure>),
    /// Nobody is to blame; the reason, for people.
    Returned(Box<str>),
}

impl History {
    pub(super) fn begin(&mut self, lease: &Lease) {
        // One that is under way stays, however many copies were tried beside it.
        if self.tries.len() >= REMEMBERED_TRIES
            && let Some(oldest) = self.tries.iter().position(|tried| tried.ended.is_some())
        {
            self.tries.remove(oldest);
        }
        // Most jobs are tried once.
        self.tries.reserve_exact(1);
        self.tries.push(Try {
            lease: lease.id,
            attempt: lease.attempt,
            worker: lease.worker.clone(),
            started: lease.since,
            ended: None,
        });
    }

    pub(super) fn end(&mut self, lease: LeaseId, at: Timestamp, ending: Ending) -> Option<Duration> {
        let open = |tried: &&mut Try| tried.lease == lease && tried.ended.is_none();
        let tried = self.tries.iter_mut().find(open)?;
        tried.ended = Some((at, ending));
        Some(at.since(tried.started))
    }

    pub(super) fn share_names(&mut self, names: &mut Names) {
        for tried in &mut self.tries {
            tried.worker = names.shared(&tried.worker);
        }
    }
}
