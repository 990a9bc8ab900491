//! Sweeps come in, end, and are tried again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use vico::clock::Timestamp;
use vico::ids::{JobKey, SweepId};
use vico::job::{Failure, FailureClass, JobState, Stage};

use super::Change;
use crate::core::event::NewSweep;
use crate::core::state::shared::Shared;
use crate::core::state::{Ending, Job, Phase, Sweep};

impl Change<'_> {
    pub(super) fn add_sweep(&mut self, planned: &NewSweep) {
        let id = &planned.id;
        let at = self.at;
        let mut models = Shared::new();
        for job in &planned.jobs {
            self.state.jobs.entry(job.key).or_insert_with(|| {
                let job = Job::new(job, models.copy_of(&job.models));
                self.state.index.link(&job);
                job
            });
        }
        let done: BTreeSet<JobKey> = planned.done.iter().copied().collect();
        let mut reused = BTreeMap::new();
        for job in &planned.jobs {
            let before = self.state.job(job.key).map(|job| job.phase.state());
            if before == Some(JobState::Succeeded) || done.contains(&job.key) {
                *reused.entry(job.stage).or_default() += 1;
            }
        }
        let jobs: Vec<JobKey> = planned.jobs.iter().map(|job| job.key).collect();
        self.state
            .sweeps
            .insert(id.clone(), new_sweep(planned, jobs.clone(), reused, at));
        for &job in &jobs {
            self.want(job, id);
        }
        for job in done {
            self.find_receipt(job);
        }
        for job in jobs {
            self.revive(job);
        }
    }

    fn want(&mut self, job: JobKey, sweep: &SweepId) {
        self.job(job, |job| {
            job.listed_by.insert(sweep.clone());
            job.wanted_by.insert(sweep.clone());
        });
    }

    /// Gives a job that ended without success a fresh start, and what was aborted for its sake as well.
    pub(super) fn revive(&mut self, key: JobKey) {
        let revivable = |job: &&Job| {
            let state = job.phase.state();
            state.has_ended() && state != JobState::Succeeded && !job.wanted_by.is_empty()
        };
        let Some(job) = self.state.job(key).filter(revivable) else {
            return;
        };
        let phase = self.waiting_phase(job);
        let still_dead = phase.state().has_ended();
        self.job(key, |job| {
            job.phase = phase;
            job.refresh_budget();
        });
        if !still_dead {
            for reader in self.state.downstream(key).to_vec() {
                let aborted = |job: &Job| job.phase.state() == JobState::Aborted;
                if self.state.job(reader).is_some_and(aborted) {
                    self.revive(reader);
                }
            }
        }
    }

    /// Where a job stands that nobody works on, as its upstream has it.
    fn waiting_phase(&self, job: &Job) -> Phase {
        match self.state.dead_upstream(job) {
            Some(by) => Phase::Aborted { by },
            None if self.state.is_fed(job) => Phase::Ready { not_before: self.at },
            None => Phase::Blocked,
        }
    }

    pub(super) fn cancel(&mut self, id: &SweepId) {
        let Some(sweep) = self.state.sweeps.get_mut(id) else {
            return;
        };
        sweep.cancelled = true;
        sweep.note("cancelled".to_owned());
        self.touched.insert(id.clone());
        let at = self.at;
        for key in sweep.jobs.clone() {
            self.job(key, |job| {
                job.wanted_by.remove(id);
                if !job.wanted_by.is_empty() || job.phase.state().has_ended() {
                    return;
                }
                if let Some(lease) = job.lease().map(|live| live.id) {
                    job.end_try(lease, at, Ending::Failed(cancelled_by_user()));
                }
                job.phase = Phase::Cancelled;
            });
        }
    }

    pub(super) fn retry(&mut self, id: &SweepId, jobs: &[JobKey]) {
        let Some(sweep) = self.state.sweeps.get_mut(id) else {
            return;
        };
        sweep.cancelled = false;
        sweep.finished = None;
        sweep.published = false;
        sweep.note(format!("retrying {} jobs", jobs.len()));
        let listed = sweep.jobs.clone();
        for &key in &listed {
            self.job(key, |job| job.wanted_by.insert(id.clone()));
        }
        for &key in jobs {
            self.revive(key);
        }
        // What was aborted while nobody wanted it may have a living upstream by now.
        for key in listed {
            if matches!(
                self.state.job(key).map(|job| &job.phase),
                Some(Phase::Aborted { .. })
            ) {
                self.revive(key);
            }
        }
    }
}

fn new_sweep(
    planned: &NewSweep,
    jobs: Vec<JobKey>,
    reused: BTreeMap<Stage, u32>,
    submitted: Timestamp,
) -> Sweep {
    Sweep {
        name: planned.name.clone(),
        retry: planned.retry.clone(),
        scheduling: planned.scheduling.clone(),
        submitted,
        jobs,
        reused,
        timings: BTreeMap::new(),
        cancelled: false,
        finished: None,
        published: false,
        notices: VecDeque::new(),
    }
}

fn cancelled_by_user() -> Failure {
    Failure {
        class: FailureClass::Cancelled,
        message: "the sweep was cancelled".to_owned(),
    }
}
