//! A lane's due jobs in the order in which they are handed out.

use std::collections::HashSet;
use std::iter::Peekable;
use std::time::Duration;

use crate::core::event::Profile;
use crate::core::state::{JobNo, Lane};

/// Those who became ready first come first.
pub(super) struct Queue<'a> {
    pub(super) lane: Lane,
    pub(super) profile: &'a Profile,
    /// Jobs in it, due or not.
    pub(super) length: usize,
    /// How long one takes.
    pub(super) expected: Duration,
    /// Jobs that wait in lanes of the same sweep whose jobs take longer.
    pub(super) longer_jobs: usize,
    due: Peekable<Box<dyn Iterator<Item = JobNo> + 'a>>,
    /// Jobs that some worker was not to have; another may.
    passed: Vec<JobNo>,
}

impl<'a> Queue<'a> {
    /// `due` are those of the lane's `length` jobs that are.
    pub(super) fn new(
        (lane, profile): (Lane, &'a Profile),
        expected: Duration,
        length: usize,
        due: impl Iterator<Item = JobNo> + 'a,
    ) -> Self {
        let due: Box<dyn Iterator<Item = JobNo>> = Box::new(due);
        Self {
            lane,
            profile,
            length,
            expected,
            longer_jobs: 0,
            due: due.peekable(),
            passed: Vec::new(),
        }
    }

    /// Whether there may be a job for somebody.
    pub(super) fn is_open(&mut self, taken: &HashSet<JobNo>) -> bool {
        self.passed.retain(|number| !taken.contains(number));
        while self.due.next_if(|number| taken.contains(number)).is_some() {}
        !self.passed.is_empty() || self.due.peek().is_some()
    }

    /// The first job that nobody took and that `suits`.
    pub(super) fn first(&mut self, taken: &HashSet<JobNo>, suits: impl Fn(JobNo) -> bool) -> Option<JobNo> {
        let open = |number: JobNo| !taken.contains(&number) && suits(number);
        if let Some(number) = self.passed.iter().copied().find(|number| open(*number)) {
            return Some(number);
        }
        loop {
            let number = self.due.next()?;
            if open(number) {
                return Some(number);
            }
            self.passed.push(number);
        }
    }
}

/// Fills in every queue's `longer_jobs`.
pub(super) fn count_longer_jobs(queues: &mut [Queue]) {
    let lines: Vec<_> = queues
        .iter()
        .map(|queue| (queue.lane.sweep, queue.expected, queue.length))
        .collect();
    for queue in queues {
        let longer = lines
            .iter()
            .filter(|(sweep, expected, _)| *sweep == queue.lane.sweep && *expected > queue.expected);
        queue.longer_jobs = longer.map(|(_, _, length)| length).sum();
    }
}
