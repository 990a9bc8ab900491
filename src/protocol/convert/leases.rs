//! Messages about leases that are held.

use vico_proto::v1 as pb;

use super::nouns::{failure, job_key, outputs_from_wire, outputs_to_wire, session};
use super::{InvalidMessage, each, into_each, require};
use crate::ids::LeaseId;
use crate::job::{Completion, FailedAttempt, LeaseReport, Release, Renewal, Renewed, RevokedLease};

impl From<LeaseReport> for pb::LeaseReport {
    fn from(report: LeaseReport) -> Self {
        Self {
            job: report.job.to_string(),
            lease: report.lease.0,
            progress: Some(report.progress.into()),
            log: report.log,
        }
    }
}

impl TryFrom<pb::LeaseReport> for LeaseReport {
    type Error = InvalidMessage;
    fn try_from(wire: pb::LeaseReport) -> Result<Self, InvalidMessage> {
        Ok(Self {
            job: job_key(&wire.job)?,
            lease: LeaseId(wire.lease),
            progress: wire.progress.unwrap_or_default().into(),
            log: wire.log,
        })
    }
}

impl From<Renewal> for pb::RenewRequest {
    fn from(renewal: Renewal) -> Self {
        Self {
            worker: renewal.session.worker.into(),
            session: renewal.session.nonce,
            leases: into_each(renewal.reports),
        }
    }
}

impl TryFrom<pb::RenewRequest> for Renewal {
    type Error = InvalidMessage;
    fn try_from(wire: pb::RenewRequest) -> Result<Self, InvalidMessage> {
        Ok(Self {
            session: session(&wire.worker, wire.session)?,
            reports: each(wire.leases)?,
        })
    }
}

impl From<Renewed> for pb::RenewReply {
    fn from(renewed: Renewed) -> Self {
        let wire = |revoked: RevokedLease| pb::RevokedLease {
            lease: revoked.lease.0,
            reason: revoked.reason,
        };
        Self {
            revoked: renewed.revoked.into_iter().map(wire).collect(),
            drain: renewed.drain,
        }
    }
}

impl From<pb::RenewReply> for Renewed {
    fn from(wire: pb::RenewReply) -> Self {
        let revoked = |wire: pb::RevokedLease| RevokedLease {
            lease: LeaseId(wire.lease),
            reason: wire.reason,
        };
        Self {
            revoked: wire.revoked.into_iter().map(revoked).collect(),
            drain: wire.drain,
        }
    }
}

impl From<Completion> for pb::CompleteRequest {
    fn from(completion: Completion) -> Self {
        Self {
            worker: completion.session.worker.into(),
            session: completion.session.nonce,
            job: completion.job.to_string(),
            lease: completion.lease.0,
            outputs: outputs_to_wire(completion.outputs),
            log: completion.log,
        }
    }
}

impl TryFrom<pb::CompleteRequest> for Completion {
    type Error = InvalidMessage;
    fn try_from(wire: pb::CompleteRequest) -> Result<Self, InvalidMessage> {
        Ok(Self {
            session: session(&wire.worker, wire.session)?,
            job: job_key(&wire.job)?,
            lease: LeaseId(wire.lease),
            outputs: outputs_from_wire(wire.outputs)?,
            log: wire.log,
        })
    }
}

impl From<FailedAttempt> for pb::FailRequest {
    fn from(failed: FailedAttempt) -> Self {
        Self {
            worker: failed.session.worker.into(),
            session: failed.session.nonce,
            job: failed.job.to_string(),
            lease: failed.lease.0,
            failure_class: failed.failure.class.to_string(),
            message: failed.failure.message,
            log: failed.log,
        }
    }
}

impl TryFrom<pb::FailRequest> for FailedAttempt {
    type Error = InvalidMessage;
    fn try_from(wire: pb::FailRequest) -> Result<Self, InvalidMessage> {
        Ok(Self {
            session: session(&wire.worker, wire.session)?,
            job: job_key(&wire.job)?,
            lease: LeaseId(wire.lease),
            failure: require("failure_class", failure(&wire.failure_class, wire.message)?)?,
            log: wire.log,
        })
    }
}

impl From<Release> for pb::ReleaseRequest {
    fn from(release: Release) -> Self {
        Self {
            worker: release.session.worker.into(),
            session: release.session.nonce,
            leases: release.leases.into_iter().map(|lease| lease.0).collect(),
            leaving: release.leaving,
        }
    }
}

impl TryFrom<pb::ReleaseRequest> for Release {
    type Error = InvalidMessage;
    fn try_from(wire: pb::ReleaseRequest) -> Result<Self, InvalidMessage> {
        Ok(Self {
            session: session(&wire.worker, wire.session)?,
            leases: wire.leases.into_iter().map(LeaseId).collect(),
            leaving: wire.leaving,
        })
    }
}
