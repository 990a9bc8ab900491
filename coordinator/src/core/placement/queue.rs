//! A lane's due jobs in the order in which they are handed out.

use std::collections::{BTreeSet, HashSet};
use std::iter::Peekable;
use std::time::Duration;

use vico::clock::Timestamp;
use vico::ids::JobKey;

use crate::core::state::Lane;

/// Those who became ready first come first.
pub(super) struct Queue<'a> {
    pub(super) lane: &'a Lane,
    /// Jobs in it, due or not.
    pub(super) length: usize,
    /// How long one takes.
    pub(super) expected: Duration,
    /// Jobs that wait in lanes of the same sweep whose jobs take longer.
    pub(super) longer_jobs: usize,
    due: Peekable<Box<dyn Iterator<Item = JobKey> + 'a>>,
    /// Jobs that some worker was not to have; another may.
    passed: Vec<JobKey>,
}

impl<'a> Queue<'a> {
    pub(super) fn new(
        lane: &'a Lane,
        jobs: &'a BTreeSet<(Timestamp, JobKey)>,
        expected: Duration,
        now: Timestamp,
    ) -> Self {
        let due = jobs.iter().take_while(move |(not_before, _)| *not_before <= now);
        let due: Box<dyn Iterator<Item = JobKey>> = Box::new(due.map(|(_, key)| *key));
        Self {
            lane,
            length: jobs.len(),
            expected,
            longer_jobs: 0,
            due: due.peekable(),
            passed: Vec::new(),
        }
    }

    /// Whether there may be a job for somebody.
    pub(super) fn is_open(&mut self, taken: &HashSet<JobKey>) -> bool {
        self.passed.retain(|key| !taken.contains(key));
        while self.due.next_if(|key| taken.contains(key)).is_some() {}
        !self.passed.is_empty() || self.due.peek().is_some()
    }

    /// The first job that nobody took and that `suits`.
    pub(super) fn first(
        &mut self,
        taken: &HashSet<JobKey>,
        suits: impl Fn(JobKey) -> bool,
    ) -> Option<JobKey> {
        let open = |key: JobKey| !taken.contains(&key) && suits(key);
        if let Some(key) = self.passed.iter().copied().find(|key| open(*key)) {
            return Some(key);
        }
        loop {
            let key = self.due.next()?;
            if open(key) {
                return Some(key);
            }
            self.passed.push(key);
        }
    }
}

/// Fills in every queue's `longer_jobs`.
pub(super) fn count_longer_jobs(queues: &mut [Queue]) {
    let lines: Vec<_> = queues
        .iter()
        .map(|queue| (&queue.lane.sweep, queue.expected, queue.length))
        .collect();
    for queue in queues {
        let longer = lines
            .iter()
            .filter(|(sweep, expected, _)| **sweep == queue.lane.sweep && *expected > queue.expected);
        queue.longer_jobs = longer.map(|(_, _, length)| length).sum();
    }
}
