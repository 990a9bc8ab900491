//! Sweeps come in, and their results go out.

use std::sync::Arc;

use vico::clock::Timestamp;
use vico::ids::SweepId;
use vico::job::JobState;
use vico::status::SweepState;

use crate::core::event::{Place, Reprofiled};
use crate::core::plan::profile_of;
use crate::core::state::Sweep;
use crate::core::{Brain, Event, NewSweep, Refusal};

impl Brain {
    /// A sweep that is there already is joined. Its id says which jobs it has, and not how they run: for that the latest
    /// submission counts.
    pub(super) fn decide_add_sweep(&self, sweep: &NewSweep, at: Timestamp) -> Result<Vec<Event>, Refusal> {
        if let Some(known) = self.state.sweep(&sweep.id) {
            return Ok(self.said_otherwise(known, sweep, at));
        }
        let sweep = Arc::new(sweep.close()?);
        Ok(vec![Event::SweepAdded { sweep, at }])
    }

    /// What a submission says otherwise than the sweep is known.
    fn said_otherwise(&self, known: &Sweep, sweep: &NewSweep, at: Timestamp) -> Vec<Event> {
        let rescheduled = (known.scheduling != sweep.scheduling).then(|| Event::SweepRescheduled {
            sweep: sweep.id.clone(),
            scheduling: sweep.scheduling.clone(),
        });
        let retry = (known.retry != sweep.retry).then(|| Event::RetryPolicyChanged {
            sweep: sweep.id.clone(),
            retry: sweep.retry.clone(),
        });
        let reprofiled = self.reprofiled(known, sweep, at);
        [rescheduled, retry, reprofiled].into_iter().flatten().collect()
    }

    /// Jobs that need something else than before. Those that are done need nothing.
    fn reprofiled(&self, known: &Sweep, sweep: &NewSweep, at: Timestamp) -> Option<Event> {
        let (mut profiles, mut jobs) = (Vec::new(), Vec::new());
        // The same id is the same jobs in the same order.
        for ((number, new), place) in known.jobs.iter().zip(&sweep.jobs).zip(0..) {
            let job = self.state.numbered(*number);
            let job = job.filter(|job| job.key == new.key && job.phase.state() != JobState::Succeeded);
            let profile = job.and_then(|job| self.state.profile(job));
            if profile.is_some_and(|profile| !new.has(profile)) {
                jobs.push(Reprofiled {
                    job: Place(place),
                    profile: profile_of(new, &mut profiles),
                });
            }
        }
        let sweep = sweep.id.clone();
        (!jobs.is_empty()).then_some(Event::JobsReprofiled {
            sweep,
            profiles,
            jobs,
            at,
        })
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
