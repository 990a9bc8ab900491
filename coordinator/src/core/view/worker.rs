//! Workers as people see them.

use vico::clock::Timestamp;
use vico::ids::WorkerId;
use vico::status::WorkerStatus;

use crate::core::Brain;
use crate::core::floor::Worker;

/// What a worker is good for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It takes work.
    Ready,
    /// A user keeps it from new work.
    Cordoned,
    /// It was told to leave.
    Draining,
    /// It failed too often.
    Quarantined {
        /// It gets no work before this.
        until: Timestamp,
    },
    /// It has not spoken for the life of a lease.
    Silent {
        /// When it last did.
        since: Timestamp,
    },
}

impl Condition {
    /// For people; a worker that takes work needs no words.
    fn words(self) -> Option<String> {
        match self {
            Self::Ready => None,
            Self::Cordoned => Some("cordoned".to_owned()),
            Self::Draining => Some("draining".to_owned()),
            Self::Quarantined { until } => Some(format!("quarantined until {until}")),
            Self::Silent { since } => Some(format!("silent since {since}")),
        }
    }
}

impl Brain {
    /// All workers on the floor.
    pub(crate) fn worker_list(&self, now: Timestamp) -> Vec<WorkerStatus> {
        let status = |(id, worker): (&WorkerId, &Worker)| WorkerStatus {
            worker: id.clone(),
            device: worker.device.clone(),
            slots: worker.slots,
            jobs: self.state.leases_of(id).map(|(job, _)| job.key).collect(),
            last_seen: worker.last_seen,
            condition: self.condition(id, worker, now).words(),
            version: worker.version.clone(),
        };
        self.floor.workers().map(status).collect()
    }

    /// How a worker on the floor is.
    pub(crate) fn condition(&self, id: &WorkerId, worker: &Worker, now: Timestamp) -> Condition {
        let until = self.state.worker_record(id).quarantined_until;
        if !self.floor.is_present(worker, now) {
            let since = worker.last_seen;
            return Condition::Silent { since };
        }
        if worker.draining {
            return Condition::Draining;
        }
        match until.filter(|until| now < *until) {
            Some(until) => Condition::Quarantined { until },
            None if self.state.is_cordoned(id) => Condition::Cordoned,
            None => Condition::Ready,
        }
    }
}
