//! Sweeps come in, and their results go out.

use std::sync::Arc;

use vico::clock::Timestamp;
use vico::ids::SweepId;
use vico::status::SweepState;

use crate::core::{Brain, Event, NewSweep, Refusal};

impl Brain {
    /// A sweep that is there already is joined; at most its place among others changes.
    pub(super) fn decide_add_sweep(&self, sweep: &NewSweep, at: Timestamp) -> Result<Vec<Event>, Refusal> {
        if let Some(known) = self.state.sweep(&sweep.id) {
            let scheduling = sweep.scheduling.clone();
            let moved = (known.scheduling != scheduling).then(|| Event::SweepRescheduled {
                sweep: sweep.id.clone(),
                scheduling,
            });
            return Ok(moved.into_iter().collect());
        }
        let sweep = Arc::new(sweep.close()?);
        Ok(vec![Event::SweepAdded { sweep, at }])
    }

    pub(super) fn decide_published(&self, id: &SweepId) -> Result<Vec<Event>, Refusal> {
        let sweep = self.state.known_sweep(id)?;
        // It may have been retried while its results were written; then they are written again when it ends.
        let ended = sweep.finished.is_some() && !sweep.published;
        let event = Event::SweepPublished { sweep: id.clone() };
        Ok(if ended { vec![event] } else { Vec::new() })
    }

    /// Sweeps whose results should be written: all jobs have ended and no user gave up on them.
    pub(crate) fn unpublished(&self) -> impl Iterator<Item = &SweepId> {
        let due = self.state.sweeps().filter(|sweep| {
            let state = self.state.tally(&sweep.id).map(|tally| sweep.state(tally));
            !sweep.published && matches!(state, Some(SweepState::Succeeded | SweepState::Failed))
        });
        due.map(|sweep| &sweep.id)
    }
}
