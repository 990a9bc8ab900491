//! Sweeps that want the same workers, and how each is served beside the others.

use std::collections::BTreeMap;

use crate::core::Brain;
use crate::core::state::{Sweep, SweepNo};

/// One in so many of a sweep's running jobs is not held against it. In a large fleet there are always workers between two
/// jobs: were they missed at once, others would change models to make up for them.
const SLACK: u32 = 8;

/// How much a sweep wants the next worker, beside others of its priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    /// It has about its share, or more.
    Served,
    /// With one job more it would still have no more for its share than, less the slack, the sweep whose models the worker has
    /// at hand. The worker goes over to it; since the other one has no less, it does not go back.
    Behind,
    /// Nothing of it runs.
    Starved,
}

/// A sweep that has due jobs.
pub(super) struct Contender<'a> {
    pub(super) sweep: &'a Sweep,
    pub(super) running: u32,
}

impl<'a> Contender<'a> {
    pub(super) fn new(brain: &'a Brain, number: SweepNo) -> Option<Self> {
        let sweep = brain.state.numbered_sweep(number)?;
        let running = brain.state.running(&sweep.id);
        Some(Self { sweep, running })
    }
}

impl Contender<'_> {
    pub(super) fn is_at_its_limit(&self) -> bool {
        self.sweep.reached_limit(self.running).is_some()
    }

    pub(super) fn priority(&self) -> i32 {
        self.sweep.scheduling.priority
    }

    /// Jobs running for a share of one, in millionths.
    pub(super) fn served(&self) -> u64 {
        self.served_with(self.running)
    }

    /// The same, but for the slack.
    pub(super) fn served_less_slack(&self) -> u64 {
        self.served_with(self.running - self.running / SLACK)
    }

    /// `suited` is by priority: what the sweep has, less the slack, that the asking workers suit best.
    pub(super) fn claim(&self, suited: &BTreeMap<i32, u64>) -> Claim {
        let suited = suited.get(&self.priority()).copied().unwrap_or(0);
        match self.running {
            0 => Claim::Starved,
            running if self.served_with(running.saturating_add(1)) <= suited => Claim::Behind,
            _ => Claim::Served,
        }
    }

    fn served_with(&self, running: u32) -> u64 {
        let share = u64::from(self.sweep.scheduling.share.max(1));
        u64::from(running) * 1_000_000 / share
    }
}
