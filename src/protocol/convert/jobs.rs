//! Messages about single jobs.

use vico_proto::v1 as pb;

use super::nouns::{failure, job_key};
use super::words::same_words;
use super::{InvalidMessage, each, into_each, optional_text, optional_time, parse, parse_optional, require};
use crate::clock::Timestamp;
use crate::ids::Attempt;
use crate::job::JobState;
use crate::status::{AttemptRecord, JobDetail, JobStatus, LogLine};

same_words!(JobState, "state": Blocked, Ready, Leased, Succeeded, Failed, Aborted, Cancelled);

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
