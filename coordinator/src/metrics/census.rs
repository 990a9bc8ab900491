//! How much there is of what, as the state has it.

use std::collections::BTreeMap;
use std::time::Duration;

use vico::clock::Timestamp;
use vico::job::{FailureClass, JobState, Stage};
use vico::status::SweepState;

use crate::core::Brain;
use crate::core::state::{Ending, Tally};
use crate::core::view::Condition;

/// The conditions of workers, by the words of their label.
pub(super) const CONDITIONS: [&str; 5] = ["ready", "cordoned", "draining", "quarantined", "silent"];

fn word(condition: Condition) -> &'static str {
    match condition {
        Condition::Ready => "ready",
        Condition::Cordoned => "cordoned",
        Condition::Draining => "draining",
        Condition::Quarantined { .. } => "quarantined",
        Condition::Silent { .. } => "silent",
    }
}

/// One count of everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Census {
    pub(super) sweeps: BTreeMap<SweepState, u64>,
    pub(super) jobs: BTreeMap<(Stage, JobState), u64>,
    /// How long the job that has waited longest for a worker has done so.
    pub(super) queue_age: BTreeMap<Stage, Duration>,
    /// By the word of their condition.
    pub(super) workers: BTreeMap<&'static str, u64>,
    /// Of workers that take work.
    pub(super) slots: u64,
    pub(super) leases_granted: u64,
    pub(super) leases_live: u64,
    pub(super) failed_attempts: BTreeMap<FailureClass, u64>,
    /// Events over all processes.
    pub(super) events: u64,
}

impl Census {
    /// Counts. Takes one look at every job.
    pub(crate) fn of(brain: &Brain, now: Timestamp) -> Self {
        let mut census = Self {
            leases_granted: brain.state.next_lease().0 - 1,
            leases_live: brain.state.leases().count() as u64,
            events: brain.state.applied(),
            ..Self::default()
        };
        census.count_sweeps(brain);
        census.count_jobs(brain);
        census.count_queue(brain, now);
        census.count_workers(brain, now);
        census
    }

    fn count_sweeps(&mut self, brain: &Brain) {
        let none = Tally::default();
        for sweep in brain.state.sweeps() {
            let tally = brain.state.tally(&sweep.id).unwrap_or(&none);
            *self.sweeps.entry(sweep.state(tally)).or_default() += 1;
        }
    }

    fn count_jobs(&mut self, brain: &Brain) {
        for job in brain.state.jobs() {
            *self.jobs.entry((job.stage, job.phase.state())).or_default() += 1;
            for tried in job.tries() {
                if let Some((_, Ending::Failed(failure))) = &tried.ended {
                    *self.failed_attempts.entry(failure.class).or_default() += 1;
                }
            }
        }
    }

    fn count_queue(&mut self, brain: &Brain, now: Timestamp) {
        for (lane, ready) in brain.state.lanes() {
            let Some(profile) = brain.state.lane_profile(lane) else {
                continue;
            };
            let oldest = ready.first().map(|(since, _)| now.since(*since));
            let age = self.queue_age.entry(profile.stage).or_default();
            *age = (*age).max(oldest.unwrap_or_default());
        }
    }

    fn count_workers(&mut self, brain: &Brain, now: Timestamp) {
        for (id, worker) in brain.floor.workers() {
            let condition = brain.condition(id, worker, now);
            *self.workers.entry(word(condition)).or_default() += 1;
            if condition == Condition::Ready {
                self.slots += u64::from(worker.slots);
            }
        }
    }
}
