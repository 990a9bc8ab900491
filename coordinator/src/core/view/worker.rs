//! Workers as people see them.

use vico::clock::Timestamp;
use vico::ids::WorkerId;
use vico::status::WorkerStatus;

use crate::core::Brain;
use crate::core::floor::Worker;

impl Brain {
    /// All workers on the floor.
    pub(crate) fn worker_list(&self, now: Timestamp) -> Vec<WorkerStatus> {
        let status = |(id, worker): (&WorkerId, &Worker)| WorkerStatus {
            worker: id.clone(),
            device: worker.device.clone(),
            slots: worker.slots,
            jobs: self.state.leases_of(id).map(|(job, _)| job.key).collect(),
            last_seen: worker.last_seen,
            condition: self.condition(id, worker, now),
            version: worker.version.clone(),
        };
        self.floor.workers().map(status).collect()
    }

    fn condition(&self, id: &WorkerId, worker: &Worker, now: Timestamp) -> Option<String> {
        let until = self
            .state
            .worker_record(id)
            .quarantined_until
            .filter(|until| now < *until);
        if !self.floor.is_present(worker, now) {
            return Some(format!("silent since {}", worker.last_seen));
        }
        if worker.draining {
            return Some("draining".to_owned());
        }
        until.map(|until| format!("quarantined until {until}"))
    }
}
