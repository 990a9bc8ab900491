//! A job as the coordinator remembers it. There may be a million: what most of them do not have takes no room.

use serde::{Deserialize, Serialize};
use vico::clock::Timestamp;
use vico::ids::{Attempt, JobKey, LeaseId, WorkerId};
use vico::job::{Failure, FailureClass, JobState, Stage};

use super::history::{Ending, History, Try};
use super::jobs::JobNo;
use super::labels::Label;
use super::lease::{Lease, Leases};
use super::names::Names;
use super::profiles::ProfileNo;
use super::sweeps::SweepNo;
use crate::core::few::Few;
#[cfg(test)]
use crate::sabotage::{self, Sabotage};

/// One schedulable piece of a run. The state tells what its numbers stand for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) key: JobKey,
    pub(crate) stage: Stage,
    pub(crate) label: Label,
    pub(crate) profile: ProfileNo,
    /// The jobs whose outputs it reads; all of earlier stages.
    pub(crate) upstream: Few<JobNo>,
    /// The jobs that read its outputs. Derived.
    #[serde(skip)]
    pub(crate) downstream: Few<JobNo>,
    /// Every sweep that has it in its plan.
    pub(crate) listed_by: Few<SweepNo>,
    pub(crate) phase: Phase,
    history: Option<Box<History>>,
}

/// Where the job stands; see [`JobState`] for the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Some upstream job has not succeeded, and none has failed.
    Blocked,
    /// Could run.
    Ready {
        /// The back-off's end; the moment it became ready where there is none.
        not_before: Timestamp,
    },
    /// A worker holds it, or two do.
    Leased(Box<Leases>),
    /// Its receipt exists.
    Succeeded {
        /// Who made it; `None` where the receipt was found.
        worker: Option<WorkerId>,
    },
    /// Beyond help.
    Failed(Box<Failure>),
    /// An upstream job failed.
    Aborted {
        /// Which.
        by: JobNo,
    },
    /// No sweep wants it any more.
    Cancelled,
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
    pub(super) fn new(key: JobKey, stage: Stage, label: Label, profile: ProfileNo) -> Self {
        Self {
            key,
            stage,
            label,
            profile,
            upstream: Few::None,
            downstream: Few::None,
            listed_by: Few::None,
            phase: Phase::Cancelled,
            history: None,
        }
    }

    /// The live leases, the older one first.
    pub(crate) fn leases(&self) -> impl Iterator<Item = &Lease> {
        let live = match &self.phase {
            Phase::Leased(leases) => Some(leases.iter()),
            _ => None,
        };
        live.into_iter().flatten()
    }

    /// The live lease of this number.
    pub(crate) fn lease(&self, id: LeaseId) -> Option<&Lease> {
        self.leases().find(|lease| lease.id == id)
    }

    /// Whether it has one live lease and none of its attempts has failed: what may fail again is not tried twice at a time.
    pub(crate) fn may_be_raced(&self) -> bool {
        let has_failed = |tried: &Try| match &tried.ended {
            Some((_, Ending::Failed(failure))) => failure.class != FailureClass::Cancelled,
            Some((_, Ending::Succeeded | Ending::Returned(_))) | None => false,
        };
        self.leases().count() == 1 && !self.tries().iter().any(has_failed)
    }

    /// When a ready job became so; one that backs off did when its attempt failed.
    pub(super) fn ready_since(&self) -> Option<Timestamp> {
        let Phase::Ready { not_before } = self.phase else {
            return None;
        };
        // A fresh budget ends a back-off.
        let last = self.tries().last().filter(|_| self.failures() > 0);
        let failed = last.and_then(|last| match &last.ended {
            Some((at, Ending::Failed(_))) => Some(*at),
            _ => None,
        });
        Some(failed.unwrap_or(not_before))
    }

    /// Attempts, oldest first.
    pub(crate) fn tries(&self) -> &[Try] {
        self.history.as_ref().map_or(&[], |history| &history.tries)
    }

    /// The attempt that a lease began.
    pub(crate) fn try_of(&self, lease: LeaseId) -> Option<&Try> {
        self.tries().iter().find(|tried| tried.lease == lease)
    }

    /// Failures that count against the attempt budget.
    pub(crate) fn failures(&self) -> u32 {
        self.history.as_ref().map_or(0, |history| history.failures)
    }

    /// How often out of memory struck.
    pub(crate) fn memory_halvings(&self) -> u32 {
        self.history.as_ref().map_or(0, |history| history.memory_halvings)
    }

    /// Whether it failed on this worker and others should spare it that.
    pub(crate) fn avoids(&self, worker: &WorkerId) -> bool {
        self.history
            .as_ref()
            .is_some_and(|history| history.avoid.contains(worker))
    }

    /// The number of the next attempt.
    pub(crate) fn next_attempt(&self) -> Attempt {
        Attempt(self.attempts() + 1)
    }

    /// Attempts begun so far.
    pub(crate) fn attempts(&self) -> u32 {
        self.tries().last().map_or(0, |last| last.attempt.0)
    }

    /// Why `lease` is not the live one, for people.
    pub(crate) fn why_stale(&self, lease: LeaseId) -> String {
        match self.try_of(lease).map(|tried| &tried.ended) {
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

    pub(super) fn history(&mut self) -> &mut History {
        self.history.get_or_insert_default()
    }

    /// Ends the attempt under `lease`, unless it has ended; answers with how long it took.
    pub(super) fn end_try(
        &mut self,
        lease: LeaseId,
        at: Timestamp,
        ending: Ending,
    ) -> Option<std::time::Duration> {
        self.history.as_mut()?.end(lease, at, ending)
    }

    /// Ends the attempts under all live leases.
    pub(super) fn end_all(&mut self, at: Timestamp, ending: &Ending) {
        let live: Vec<LeaseId> = self.leases().map(|lease| lease.id).collect();
        for lease in live {
            self.end_try(lease, at, ending.clone());
        }
    }

    /// A lease has ended. If another one lives on it has the job, else somebody may have it at once.
    pub(super) fn drop_lease(&mut self, ended: LeaseId, at: Timestamp) {
        let Phase::Leased(leases) = &self.phase else {
            return;
        };
        self.phase = match leases.without(ended) {
            Some(left) => Phase::Leased(Box::new(left)),
            None => Phase::Ready { not_before: at },
        };
    }

    /// Counts a failure against the budget.
    pub(super) fn count(&mut self) {
        let history = self.history();
        history.failures += 1;
        #[cfg(test)]
        if sabotage::is(Sabotage::MiscountAttempts) {
            history.failures = history.failures.min(1);
        }
    }

    /// Remembers what a failure says of later attempts; they spare `avoid` what happened there.
    pub(super) fn learn(&mut self, class: FailureClass, avoid: Option<&WorkerId>) {
        let history = self.history();
        history.memory_halvings += u32::from(class == FailureClass::OutOfMemory);
        if let Some(worker) = avoid {
            history.avoid.insert(worker.clone());
        }
    }

    pub(super) fn refresh_budget(&mut self) {
        if let Some(history) = &mut self.history {
            history.failures = 0;
            history.avoid = Few::None;
        }
    }

    /// Swaps its copies of workers' names for those that everybody has.
    pub(super) fn share_names(&mut self, names: &mut Names) {
        if let Some(history) = &mut self.history {
            history.share_names(names);
        }
        match &mut self.phase {
            Phase::Leased(leases) => {
                for lease in leases.iter_mut() {
                    lease.worker = names.shared(&lease.worker);
                }
            }
            Phase::Succeeded { worker: Some(worker) } => *worker = names.shared(worker),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_job_is_small() {
        assert!(size_of::<Job>() <= 120, "{}", size_of::<Job>());
    }
}
