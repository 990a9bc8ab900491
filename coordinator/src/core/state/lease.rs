//! Workers' rights to a job.

use serde::{Deserialize, Serialize};
use vico::clock::Timestamp;
use vico::ids::{Attempt, LeaseId, WorkerId};

/// A worker's right to a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lease {
    pub(crate) id: LeaseId,
    pub(crate) worker: WorkerId,
    pub(crate) attempt: Attempt,
    pub(crate) since: Timestamp,
}

/// The live leases of one job: one, or two that race for its receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Leases {
    /// The older one.
    pub(crate) first: Lease,
    /// A second attempt beside one that runs late.
    pub(crate) copy: Option<Lease>,
}

impl Leases {
    /// Of a job that nobody held before.
    pub(super) fn one(first: Lease) -> Self {
        Self { first, copy: None }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Lease> {
        std::iter::once(&self.first).chain(&self.copy)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Lease> {
        std::iter::once(&mut self.first).chain(&mut self.copy)
    }

    /// What is left when one of them has ended.
    pub(super) fn without(&self, ended: LeaseId) -> Option<Self> {
        let mut left = self.iter().filter(|lease| lease.id != ended).cloned();
        let first = left.next()?;
        let copy = left.next();
        Some(Self { first, copy })
    }
}
