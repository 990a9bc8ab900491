//! Sweeps come in, end, and are tried again.

use std::collections::{BTreeMap, HashSet, VecDeque};

use vico::clock::Timestamp;
use vico::ids::{JobKey, SweepId};
use vico::job::{Failure, FailureClass, JobState, Stage};

use super::Change;
use crate::core::event::{AddedJob, AddedSweep, Place};
use crate::core::few::Few;
use crate::core::state::{Ending, Job, JobNo, Phase, Sweep, SweepNo};

impl Change<'_> {
    pub(super) fn add_sweep(&mut self, added: &AddedSweep) {
        if self.state.sweep(&added.id).is_some() {
            return;
        }
        let jobs = self.add_jobs(added);
        let done: Vec<JobNo> = at_places(&added.done, &jobs).collect();
        let reused = self.reused(&jobs, &done);
        let sweep = self
            .state
            .sweeps
            .push(new_sweep(added, jobs.clone(), reused, self.at));
        self.state.index.add_sweep();
        self.touched.insert(sweep);
        for &job in &jobs {
            self.job(job, |job| job.listed_by.insert(sweep));
        }
        for job in done {
            self.find_receipt(job);
        }
        for job in jobs {
            self.revive(job);
        }
    }

    /// The numbers of the sweep's jobs, of which those come in that nobody had. The others need what the sweep says.
    fn add_jobs(&mut self, added: &AddedSweep) -> Vec<JobNo> {
        self.state.jobs.reserve(added.jobs.len());
        let text = added.jobs.iter().map(|job| job.label.len());
        self.state.labels.reserve(text.sum());
        let profiles = self.take_in(&added.profiles);
        let mut new = Vec::new();
        let numbers = added.jobs.iter().map(|job| {
            let (stage, profile) = *profiles.get(job.profile as usize)?;
            if let Some(known) = self.state.jobs.number(job.key) {
                self.need(known, (stage, profile));
                return Some(known);
            }
            let label = self.state.labels.add(&job.label);
            let number = self.state.jobs.push(Job::new(job.key, stage, label, profile));
            new.push((number, job));
            Some(number)
        });
        let numbers: Option<Vec<JobNo>> = numbers.collect();
        let numbers = numbers.unwrap_or_default();
        for (number, job) in new {
            self.link(number, job, &numbers);
        }
        numbers
    }

    fn link(&mut self, number: JobNo, added: &AddedJob, numbers: &[JobNo]) {
        let upstream: Few<JobNo> = at_places(added.upstream.as_slice(), numbers).collect();
        if let Some(job) = self.state.jobs.get_mut(number) {
            job.upstream = upstream;
        }
        self.state.link(number);
    }

    /// Jobs by stage that are done, whether their receipts are news or not.
    fn reused(&self, jobs: &[JobNo], done: &[JobNo]) -> BTreeMap<Stage, u32> {
        let done: HashSet<&JobNo> = done.iter().collect();
        let mut reused = BTreeMap::new();
        for number in jobs {
            let Some(job) = self.state.jobs.get(*number) else {
                continue;
            };
            if done.contains(number) || job.phase.state() == JobState::Succeeded {
                *reused.entry(job.stage).or_default() += 1;
            }
        }
        reused
    }

    /// Gives a job that ended without success a fresh start, and what was aborted for its sake as well.
    pub(super) fn revive(&mut self, number: JobNo) {
        let revivable = |job: &&Job| {
            let state = job.phase.state();
            state.has_ended() && state != JobState::Succeeded && self.state.is_wanted(job)
        };
        let Some(job) = self.state.jobs.get(number).filter(revivable) else {
            return;
        };
        let phase = self.waiting_phase(job);
        let still_dead = phase.state().has_ended();
        self.job(number, |job| {
            job.phase = phase;
            job.refresh_budget();
        });
        if !still_dead {
            for reader in &self.readers(number) {
                let aborted = |job: &Job| job.phase.state() == JobState::Aborted;
                if self.state.jobs.get(*reader).is_some_and(aborted) {
                    self.revive(*reader);
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
        let Some(number) = self.state.sweeps.number(id) else {
            return;
        };
        self.sweep(number, |sweep| {
            sweep.cancelled = true;
            sweep.note("cancelled".to_owned());
        });
        for job in self.listed(number) {
            self.drop_unwanted(job);
        }
    }

    fn drop_unwanted(&mut self, number: JobNo) {
        let Some(job) = self.state.jobs.get(number) else {
            return;
        };
        if self.state.is_wanted(job) || job.phase.state().has_ended() {
            return;
        }
        let at = self.at;
        self.job(number, |job| {
            job.end_all(at, &Ending::Failed(Box::new(cancelled_by_user())));
            job.phase = Phase::Cancelled;
        });
    }

    pub(super) fn retry(&mut self, id: &SweepId, jobs: &[JobKey]) {
        let Some(number) = self.state.sweeps.number(id) else {
            return;
        };
        self.sweep(number, |sweep| {
            sweep.cancelled = false;
            sweep.finished = None;
            sweep.published = false;
            sweep.note(format!("retrying {} jobs", jobs.len()));
        });
        for key in jobs {
            if let Some(job) = self.state.jobs.number(*key) {
                self.revive(job);
            }
        }
        // What was aborted while nobody wanted it may have a living upstream by now.
        for listed in self.listed(number) {
            let job = self.state.jobs.get(listed);
            if job.is_some_and(|job| matches!(job.phase, Phase::Aborted { .. })) {
                self.revive(listed);
            }
        }
    }

    pub(super) fn listed(&self, sweep: SweepNo) -> Vec<JobNo> {
        let sweep = self.state.sweeps.get(sweep);
        sweep.map(|sweep| sweep.jobs.clone()).unwrap_or_default()
    }
}

/// Places that the list does not have belong to a journal that was tampered with.
fn at_places(places: &[Place], numbers: &[JobNo]) -> impl Iterator<Item = JobNo> {
    places
        .iter()
        .filter_map(|place| numbers.get(place.0 as usize).copied())
}

fn new_sweep(
    added: &AddedSweep,
    jobs: Vec<JobNo>,
    reused: BTreeMap<Stage, u32>,
    submitted: Timestamp,
) -> Sweep {
    Sweep {
        id: added.id.clone(),
        name: added.name.clone(),
        retry: added.retry.clone(),
        scheduling: added.scheduling.clone(),
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
