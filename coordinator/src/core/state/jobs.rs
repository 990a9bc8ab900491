//! All jobs, numbered as they came in.

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use vico::ids::JobKey;

use super::job::Job;

/// A job's place in the state. It never changes, and means nothing outside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct JobNo(u32);

/// Jobs by number, and by key.
#[derive(Debug, Clone, Default)]
pub(super) struct Jobs {
    slots: Vec<Job>,
    /// Derived. A table of bare numbers: with keys in it, it would be as large as the jobs.
    by_key: HashTable<JobNo>,
}

impl PartialEq for Jobs {
    fn eq(&self, other: &Self) -> bool {
        self.slots == other.slots
    }
}

impl Jobs {
    pub(super) fn reserve(&mut self, more: usize) {
        self.slots.reserve(more);
        let slots = &self.slots;
        self.by_key.reserve(more, |number| hash_of(slots, *number));
    }

    pub(super) fn number(&self, key: JobKey) -> Option<JobNo> {
        let is_it = |number: &JobNo| self.get(*number).is_some_and(|job| job.key == key);
        self.by_key.find(hash(key), is_it).copied()
    }

    pub(super) fn get(&self, number: JobNo) -> Option<&Job> {
        self.slots.get(number.0 as usize)
    }

    pub(super) fn get_mut(&mut self, number: JobNo) -> Option<&mut Job> {
        self.slots.get_mut(number.0 as usize)
    }

    /// Adds a job whose key is new.
    pub(super) fn push(&mut self, job: Job) -> JobNo {
        let number = JobNo(self.slots.len() as u32);
        let hash = hash(job.key);
        self.slots.push(job);
        let slots = &self.slots;
        self.by_key
            .insert_unique(hash, number, |number| hash_of(slots, *number));
        number
    }

    pub(super) fn as_slice(&self) -> &[Job] {
        &self.slots
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = JobNo> + use<> {
        (0..self.slots.len() as u32).map(JobNo)
    }
}

impl FromIterator<Job> for Jobs {
    fn from_iter<I: IntoIterator<Item = Job>>(jobs: I) -> Self {
        let jobs = jobs.into_iter();
        let mut table = Self::default();
        table.reserve(jobs.size_hint().0);
        for job in jobs {
            table.push(job);
        }
        table
    }
}

/// Keys are digests: any eight bytes of them are as good as a hash.
fn hash(key: JobKey) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *key.0.as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

fn hash_of(slots: &[Job], number: JobNo) -> u64 {
    slots.get(number.0 as usize).map_or(0, |job| hash(job.key))
}
