//! Messages of the `Sweeps` service.

use std::time::Duration;

use vico_proto::v1 as pb;

use super::nouns::{failure, job_key};
use super::{
    InvalidMessage, each, into_each, millis, optional_text, optional_time, parse, parse_optional, require,
};
use crate::clock::Timestamp;
use crate::ids::Attempt;
use crate::job::JobState;
use crate::status::{
    AttemptRecord, JobDetail, JobStatus, LogLine, StageStatus, SweepDetail, SweepState, SweepStatus,
    WorkerStatus,
};

/// Pairs a domain enum with its wire enum, both ways.
macro_rules! same_words {
    ($domain:ident, $field:literal: $($variant:ident),+) => {
        impl From<$domain> for pb::$domain {
            fn from(state: $domain) -> Self {
                match state { $($domain::$variant => Self::$variant),+ }
            }
        }

        impl TryFrom<pb::$domain> for $domain {
            type Error = InvalidMessage;
            fn try_from(wire: pb::$domain) -> Result<Self, InvalidMessage> {
                match wire {
                    $(pb::$domain::$variant => Ok(Self::$variant),)+
                    pb::$domain::Unspecified => Err(InvalidMessage {
                        field: $field,
                        reason: "is not specified".to_owned(),
                    }),
                }
            }
        }
    };
}

same_words!(SweepState, "state": Running, Succeeded, Failed, Cancelled);
same_words!(JobState, "state": Blocked, Ready, Leased, Succeeded, Failed, Aborted, Cancelled);

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

impl From<JobStatus> for pb::JobStatus {
    fn from(status: JobStatus) -> Self {
        Self {
            job: status.job.to_string(),
            label: status.label,
            stage: status.stage.to_string(),
            state: pb::JobState::from(status.state).into(),
            worker: status.worker.map(String::from).unwrap_or_default(),
            attempts: status.attempts,
            progress: status.progress.map(pb::Progress::from),
            reason: status.reason.unwrap_or_default(),
        }
    }
}

impl TryFrom<pb::JobStatus> for JobStatus {
    type Error = InvalidMessage;
    fn try_from(wire: pb::JobStatus) -> Result<Self, InvalidMessage> {
        Ok(Self {
            state: wire.state().try_into()?,
            job: job_key(&wire.job)?,
            label: wire.label,
            stage: parse("stage", &wire.stage)?,
            worker: parse_optional("worker", &wire.worker)?,
            attempts: wire.attempts,
            progress: wire.progress.map(Into::into),
            reason: optional_text(wire.reason),
        })
    }
}

impl From<JobDetail> for pb::JobDetail {
    fn from(detail: JobDetail) -> Self {
        Self {
            status: Some(detail.status.into()),
            attempts: into_each(detail.attempts),
            spec_json: detail.spec_json,
            receipt_json: detail.receipt_json.unwrap_or_default(),
        }
    }
}

impl TryFrom<pb::JobDetail> for JobDetail {
    type Error = InvalidMessage;
    fn try_from(wire: pb::JobDetail) -> Result<Self, InvalidMessage> {
        Ok(Self {
            status: require("status", wire.status)?.try_into()?,
            attempts: each(wire.attempts)?,
            spec_json: wire.spec_json,
            receipt_json: optional_text(wire.receipt_json),
        })
    }
}

impl From<AttemptRecord> for pb::AttemptRecord {
    fn from(record: AttemptRecord) -> Self {
        let (failure_class, message) = match record.failure {
            Some(failure) => (failure.class.to_string(), failure.message),
            None => (String::new(), String::new()),
        };
        Self {
            attempt: record.attempt.0,
            worker: record.worker.into(),
            started_ms: record.started.0,
            ended_ms: record.ended.map_or(0, |at| at.0),
            failure_class,
            message,
        }
    }
}

impl TryFrom<pb::AttemptRecord> for AttemptRecord {
    type Error = InvalidMessage;
    fn try_from(wire: pb::AttemptRecord) -> Result<Self, InvalidMessage> {
        Ok(Self {
            attempt: Attempt(wire.attempt),
            worker: parse("worker", &wire.worker)?,
            started: Timestamp(wire.started_ms),
            ended: optional_time(wire.ended_ms),
            failure: failure(&wire.failure_class, wire.message)?,
        })
    }
}

impl From<LogLine> for pb::LogLine {
    fn from(line: LogLine) -> Self {
        Self {
            at_ms: line.at.0,
            attempt: line.attempt.0,
            worker: line.worker.into(),
            text: line.text,
        }
    }
}

impl TryFrom<pb::LogLine> for LogLine {
    type Error = InvalidMessage;
    fn try_from(wire: pb::LogLine) -> Result<Self, InvalidMessage> {
        Ok(Self {
            at: Timestamp(wire.at_ms),
            attempt: Attempt(wire.attempt),
            worker: parse("worker", &wire.worker)?,
            text: wire.text,
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
