//! Sweeps at a glance and in full.

use std::collections::BTreeMap;

use vico::clock::Timestamp;
use vico::ids::SweepId;
use vico::job::{JobState, Progress, Stage};
use vico::status::{StageStatus, SweepDetail, SweepState, SweepStatus};

use crate::core::state::{Job, Sweep, Tally};
use crate::core::{Brain, Refusal};

impl Brain {
    /// All sweeps, newest first.
    pub(crate) fn sweep_list(&self, now: Timestamp) -> Vec<SweepStatus> {
        let mut sweeps: Vec<_> = self
            .state
            .sweeps()
            .map(|sweep| self.status_of(sweep, now))
            .collect();
        sweeps.sort_by(|a, b| b.submitted.cmp(&a.submitted).then(a.sweep.cmp(&b.sweep)));
        sweeps
    }

    /// One sweep at a glance.
    pub(crate) fn sweep_status(&self, id: &SweepId, now: Timestamp) -> Result<SweepStatus, Refusal> {
        let sweep = self.state.known_sweep(id)?;
        Ok(self.status_of(sweep, now))
    }

    /// One sweep with its jobs, by stage and label.
    pub(crate) fn sweep_detail(&self, id: &SweepId, now: Timestamp) -> Result<SweepDetail, Refusal> {
        let sweep = self.state.known_sweep(id)?;
        let mut jobs: Vec<_> = self.state.jobs_of(sweep).collect();
        jobs.sort_by_key(|job| (job.stage, self.state.label(job), job.key));
        Ok(SweepDetail {
            status: self.status_of(sweep, now),
            jobs: jobs.into_iter().map(|job| self.job_status(job, now)).collect(),
        })
    }

    fn status_of(&self, sweep: &Sweep, now: Timestamp) -> SweepStatus {
        let none = Tally::default();
        let tally = self.state.tally(&sweep.id).unwrap_or(&none);
        let state = sweep.state(tally);
        let running = state == SweepState::Running;
        SweepStatus {
            sweep: sweep.id.clone(),
            name: sweep.name.clone(),
            state,
            submitted: sweep.submitted,
            finished: sweep.finished,
            stages: self.stages(sweep, tally),
            eta: if running { self.eta(&sweep.id, now) } else { None },
            notices: sweep.notices.iter().cloned().collect(),
        }
    }

    fn stages(&self, sweep: &Sweep, tally: &Tally) -> Vec<StageStatus> {
        let mut stages: BTreeMap<Stage, StageStatus> = BTreeMap::new();
        for (stage, state, count) in tally.iter() {
            let status = stages.entry(stage).or_insert_with(|| StageStatus::empty(stage));
            *count_of(status, state) += count;
        }
        for (stage, status) in &mut stages {
            status.reused = sweep.reused.get(stage).copied().unwrap_or(0);
        }
        let number = self.state.sweep_number(&sweep.id);
        let is_listed = |job: &Job| number.is_some_and(|number| job.listed_by.contains(&number));
        for (job, lease) in self.state.leased_jobs().filter(|(job, _)| is_listed(job)) {
            let share = self.floor.progress(lease.id).and_then(Progress::share);
            if let Some((share, status)) = share.zip(stages.get_mut(&job.stage)) {
                status.in_flight += share;
            }
        }
        stages.into_values().collect()
    }
}

fn count_of(status: &mut StageStatus, state: JobState) -> &mut u32 {
    match state {
        JobState::Blocked => &mut status.blocked,
        JobState::Ready => &mut status.ready,
        JobState::Leased => &mut status.leased,
        JobState::Succeeded => &mut status.succeeded,
        JobState::Failed => &mut status.failed,
        JobState::Aborted => &mut status.aborted,
        JobState::Cancelled => &mut status.cancelled,
    }
}
