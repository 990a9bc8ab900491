//! A sweep as the coordinator remembers it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vico::clock::Timestamp;
use vico::ids::SweepId;
use vico::job::{JobState, Stage};
use vico::plan::{RetryPolicy, Scheduling};
use vico::status::SweepState;

use super::jobs::JobNo;

/// Notices kept per sweep.
const KEPT_NOTICES: usize = 8;

/// A submitted manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sweep {
    pub(crate) id: SweepId,
    /// The manifest's name.
    pub(crate) name: String,
    pub(crate) retry: RetryPolicy,
    /// Its place among other sweeps.
    pub(crate) scheduling: Scheduling,
    pub(crate) submitted: Timestamp,
    /// Its jobs, in the order of the plan.
    pub(crate) jobs: Vec<JobNo>,
    /// Jobs per stage that were done before the sweep asked.
    pub(crate) reused: BTreeMap<Stage, u32>,
    /// How long its attempts took.
    pub(crate) timings: BTreeMap<Stage, Timing>,
    /// A user ended it.
    pub(crate) cancelled: bool,
    /// When its last job ended, or when it was cancelled.
    pub(crate) finished: Option<Timestamp>,
    /// Its results lie in the bucket, as of `finished`.
    pub(crate) published: bool,
    /// The latest few things worth a line.
    pub(crate) notices: VecDeque<String>,
}

impl Sweep {
    /// Where it stands, given its jobs.
    pub(crate) fn state(&self, tally: &Tally) -> SweepState {
        if self.cancelled {
            SweepState::Cancelled
        } else if tally.unended() > 0 {
            SweepState::Running
        } else if tally.in_state(JobState::Succeeded) < self.jobs.len() as u32 {
            SweepState::Failed
        } else {
            SweepState::Succeeded
        }
    }

    /// Its limit, if `running` jobs reach it.
    pub(crate) fn reached_limit(&self, running: u32) -> Option<u32> {
        self.scheduling.max_running.filter(|most| running >= *most)
    }

    pub(super) fn note(&mut self, notice: String) {
        if self.notices.len() == KEPT_NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }
}

/// How long successful attempts at a stage took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timing {
    count: u32,
    total: Duration,
}

impl Timing {
    pub(super) fn add(&mut self, took: Duration) {
        self.count += 1;
        self.total = self.total.saturating_add(took);
    }

    /// How many were measured.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The mean; `None` before the first.
    pub(crate) fn mean(&self) -> Option<Duration> {
        self.total.checked_div(self.count)
    }
}

/// Numbers of jobs by stage and state.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tally([[u32; JobState::ALL.len()]; Stage::ALL.len()]);

impl Tally {
    fn count(&mut self, stage: Stage, state: JobState) -> &mut u32 {
        &mut self.0[stage as usize][state as usize]
    }

    pub(super) fn add(&mut self, stage: Stage, state: JobState) {
        *self.count(stage, state) += 1;
    }

    pub(super) fn remove(&mut self, stage: Stage, state: JobState) {
        let count = self.count(stage, state);
        *count = count.saturating_sub(1);
    }

    /// Non-zero counts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Stage, JobState, u32)> {
        let all = Stage::ALL
            .into_iter()
            .flat_map(|stage| JobState::ALL.into_iter().map(move |state| (stage, state)));
        all.map(|(stage, state)| (stage, state, self.0[stage as usize][state as usize]))
            .filter(|&(_, _, count)| count > 0)
    }

    /// Jobs in one state, over all stages.
    pub(crate) fn in_state(&self, wanted: JobState) -> u32 {
        self.0.iter().map(|stage| stage[wanted as usize]).sum()
    }

    /// Jobs that have not ended.
    pub(crate) fn unended(&self) -> u32 {
        self.iter()
            .filter(|(_, state, _)| !state.has_ended())
            .map(|(_, _, count)| count)
            .sum()
    }
}
