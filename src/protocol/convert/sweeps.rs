//! Messages of the `Sweeps` service.

use std::time::Duration;

use vico_proto::v1 as pb;

use super::nouns::job_key;
use super::words::same_words;
use super::{InvalidMessage, each, into_each, millis, optional_text, optional_time, parse, require};
use crate::clock::Timestamp;
use crate::status::{StageStatus, SweepDetail, SweepState, SweepStatus, WorkerStatus};

same_words!(SweepState, "state": Running, Succeeded, Failed, Cancelled);

impl From<SweepStatus> for pb::SweepStatus {
    fn from(status: SweepStatus) -> Self {
        Self {
            sweep: status.sweep.into(),
            name: status.name,
            state: pb::SweepState::from(status.state).into(),
            submitted_ms: status.submitted.0,
            finished_ms: status.finished.map_or(0, |at| at.0),
            stages: into_each(status.stages),
            eta_ms: status.eta.map_or(0, millis),
            notices: status.notices,
        }
    }
}

impl TryFrom<pb::SweepStatus> for SweepStatus {
    type Error = InvalidMessage;
    fn try_from(wire: pb::SweepStatus) -> Result<Self, InvalidMessage> {
        Ok(Self {
            state: wire.state().try_into()?,
            sweep: parse("sweep", &wire.sweep)?,
            name: wire.name,
            submitted: Timestamp(wire.submitted_ms),
            finished: optional_time(wire.finished_ms),
            stages: each(wire.stages)?,
            eta: (wire.eta_ms != 0).then_some(Duration::from_millis(wire.eta_ms)),
            notices: wire.notices,
        })
    }
}

impl From<StageStatus> for pb::StageStatus {
    fn from(status: StageStatus) -> Self {
        Self {
            stage: status.stage.to_string(),
            blocked: status.blocked,
            ready: status.ready,
            leased: status.leased,
            succeeded: status.succeeded,
            reused: status.reused,
            failed: status.failed,
            aborted: status.aborted,
            cancelled: status.cancelled,
            in_flight: status.in_flight,
        }
    }
}

impl TryFrom<pb::StageStatus> for StageStatus {
    type Error = InvalidMessage;
    fn try_from(wire: pb::StageStatus) -> Result<Self, InvalidMessage> {
        Ok(Self {
            stage: parse("stage", &wire.stage)?,
            blocked: wire.blocked,
            ready: wire.ready,
            leased: wire.leased,
            succeeded: wire.succeeded,
            reused: wire.reused,
            failed: wire.failed,
            aborted: wire.aborted,
            cancelled: wire.cancelled,
            in_flight: wire.in_flight,
        })
    }
}

impl From<SweepDetail> for pb::SweepDetail {
    fn from(detail: SweepDetail) -> Self {
        Self {
            status: Some(detail.status.into()),
            jobs: into_each(detail.jobs),
        }
    }
}

impl TryFrom<pb::SweepDetail> for SweepDetail {
    type Error = InvalidMessage;
    fn try_from(wire: pb::SweepDetail) -> Result<Self, InvalidMessage> {
        Ok(Self {
            status: require("status", wire.status)?.try_into()?,
            jobs: each(wire.jobs)?,
        })
    }
}

impl From<WorkerStatus> for pb::WorkerStatus {
    fn from(status: WorkerStatus) -> Self {
        Self {
            worker: status.worker.into(),
            device: Some(status.device.into()),
            slots: status.slots,
            jobs: status.jobs.iter().map(ToString::to_string).collect(),
            last_seen_ms: status.last_seen.0,
            condition: status.condition.unwrap_or_default(),
            version: status.version,
        }
    }
}

impl TryFrom<pb::WorkerStatus> for WorkerStatus {
    type Error = InvalidMessage;
    fn try_from(wire: pb::WorkerStatus) -> Result<Self, InvalidMessage> {
        let jobs = wire.jobs.iter().map(|text| job_key(text));
        Ok(Self {
            worker: parse("worker", &wire.worker)?,
            device: require("device", wire.device)?.into(),
            slots: wire.slots,
            jobs: jobs.collect::<Result<_, _>>()?,
            last_seen: Timestamp(wire.last_seen_ms),
            condition: optional_text(wire.condition),
            version: wire.version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Stage;

    #[test]
    fn every_stage_survives_the_wire() {
        for stage in Stage::ALL {
            let sent = StageStatus::empty(stage);
            let wire = pb::StageStatus::from(sent.clone());
            assert_eq!(StageStatus::try_from(wire).ok(), Some(sent));
        }
    }

    #[test]
    fn a_stage_that_is_none_is_refused() {
        let wire = pb::StageStatus {
            stage: "deploy".into(),
            ..pb::StageStatus::default()
        };
        assert_eq!(StageStatus::try_from(wire).map_err(|e| e.field), Err("stage"));
    }
}
