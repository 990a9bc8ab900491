//! What jobs need, as the latest submission has it.

use vico::ids::SweepId;
use vico::job::{JobState, Stage};

use super::Change;
use crate::core::event::{Profile, Reprofiled};
use crate::core::state::profiles::ProfileNo;
use crate::core::state::{Job, JobNo};

/// A profile, and the stage of all jobs that can have it.
type Needs = (Stage, ProfileNo);

impl Change<'_> {
    /// A sweep was submitted again, and some of its jobs need something else.
    pub(super) fn reprofile(&mut self, id: &SweepId, profiles: &[Profile], jobs: &[Reprofiled]) {
        let Some(number) = self.state.sweeps.number(id) else {
            return;
        };
        let profiles = self.take_in(profiles);
        let listed = self.listed(number);
        for job in jobs {
            let needs = profiles.get(job.profile as usize);
            if let (Some(job), Some(needs)) = (listed.get(job.job.0 as usize), needs) {
                self.need(*job, *needs);
            }
        }
        if let Some(sweep) = self.state.sweeps.get_mut(number) {
            sweep.note(format!("submitted again: {} jobs have other needs", jobs.len()));
        }
    }

    /// Profiles by their places, of which those come in that nobody had.
    pub(super) fn take_in(&mut self, profiles: &[Profile]) -> Vec<Needs> {
        let all = &mut self.state.profiles;
        let profiles = profiles.iter();
        profiles
            .map(|profile| (profile.stage, all.number(profile)))
            .collect()
    }

    /// Gives a job another profile, whichever sweep says so: a job has one, and the latest submission counts. An attempt
    /// under way goes on where it is; the next one goes by the new profile.
    pub(super) fn need(&mut self, number: JobNo, (stage, profile): Needs) {
        let is_news = |job: &Job| {
            let is_done = job.phase.state() == JobState::Succeeded;
            job.stage == stage && job.profile != profile && !is_done
        };
        if self.state.jobs.get(number).is_some_and(is_news) {
            self.job(number, |job| job.profile = profile);
        }
    }
}
