//! Users end sweeps and try them again.

use vico::clock::Timestamp;
use vico::ids::SweepId;
use vico::job::FailureClass;
use vico::status::SweepState;

use crate::core::state::{Job, Phase};
use crate::core::{Brain, Event, Refusal};

impl Brain {
    /// Cancelling twice is harmless; cancelling what has ended otherwise is refused.
    pub(super) fn decide_cancel(&self, id: &SweepId, at: Timestamp) -> Result<Vec<Event>, Refusal> {
        let sweep = self.state.known_sweep(id)?;
        let state = self.state.tally(id).map(|tally| sweep.state(tally));
        let how = match state {
            Some(SweepState::Running) => {
                let sweep = id.clone();
                return Ok(vec![Event::SweepCancelled { sweep, at }]);
            }
            Some(SweepState::Cancelled) | None => return Ok(Vec::new()),
            Some(SweepState::Succeeded) => "succeeded",
            Some(SweepState::Failed) => "failed",
        };
        let sweep = id.clone();
        Err(Refusal::AlreadyEnded { sweep, how })
    }

    /// A cancelled sweep comes back as a whole; a failed one as far as `class` says.
    pub(super) fn decide_retry(
        &self,
        id: &SweepId,
        class: Option<FailureClass>,
        at: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let sweep = self.state.known_sweep(id)?;
        if sweep.cancelled && class.is_some() {
            return Err(Refusal::CancelledSweep(id.clone()));
        }
        let chosen = |job: &&Job| match &job.phase {
            Phase::Failed(failure) => class.is_none_or(|class| class == failure.class),
            Phase::Cancelled => true,
            _ => false,
        };
        let jobs: Vec<_> = self
            .state
            .jobs_of(sweep)
            .filter(chosen)
            .map(|job| job.key)
            .collect();
        if jobs.is_empty() && !sweep.cancelled {
            return Err(Refusal::NothingToRetry(id.clone()));
        }
        let sweep = id.clone();
        Ok(vec![Event::SweepRetried { sweep, jobs, at }])
    }
}
