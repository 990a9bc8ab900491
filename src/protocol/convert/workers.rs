//! Messages with which workers come and ask for work.

use std::time::Duration;

use vico_proto::v1 as pb;

use super::nouns::{MOST_FACT, job_key, session};
use super::{InvalidMessage, cut, each, into_each, millis, parse, require};
use crate::ids::{Attempt, LeaseId};
use crate::job::{Acquire, Grant, HeldLease, Introduction, Welcome};

impl From<Introduction> for pb::RegisterRequest {
    fn from(worker: Introduction) -> Self {
        Self {
            worker: worker.session.worker.into(),
            session: worker.session.nonce,
            version: worker.version,
            device: Some(worker.device.into()),
            slots: worker.slots,
            held: into_each(worker.held),
        }
    }
}

impl TryFrom<pb::RegisterRequest> for Introduction {
    type Error = InvalidMessage;
    fn try_from(wire: pb::RegisterRequest) -> Result<Self, InvalidMessage> {
        Ok(Self {
            session: session(&wire.worker, wire.session)?,
            version: cut(wire.version, MOST_FACT),
            device: require("device", wire.device)?.into(),
            slots: wire.slots,
            held: each(wire.held)?,
        })
    }
}

impl From<HeldLease> for pb::HeldLease {
    fn from(held: HeldLease) -> Self {
        Self {
            job: held.job.to_string(),
            lease: held.lease.0,
            attempt: held.attempt.0,
        }
    }
}

impl TryFrom<pb::HeldLease> for HeldLease {
    type Error = InvalidMessage;
    fn try_from(wire: pb::HeldLease) -> Result<Self, InvalidMessage> {
        Ok(Self {
            job: job_key(&wire.job)?,
            lease: LeaseId(wire.lease),
            attempt: Attempt(wire.attempt),
        })
    }
}

impl From<Welcome> for pb::RegisterReply {
    fn from(welcome: Welcome) -> Self {
        Self {
            bucket: welcome.bucket,
            lease_ttl_ms: millis(welcome.lease_ttl),
            revoked: welcome.revoked.into_iter().map(|lease| lease.0).collect(),
        }
    }
}

impl From<pb::RegisterReply> for Welcome {
    fn from(wire: pb::RegisterReply) -> Self {
        Self {
            bucket: wire.bucket,
            lease_ttl: Duration::from_millis(wire.lease_ttl_ms),
            revoked: wire.revoked.into_iter().map(LeaseId).collect(),
        }
    }
}

impl From<Acquire> for pb::AcquireRequest {
    fn from(ask: Acquire) -> Self {
        Self {
            worker: ask.session.worker.into(),
            session: ask.session.nonce,
            max: ask.max,
            wait_ms: millis(ask.wait),
            at_hand: ask.at_hand.iter().map(ToString::to_string).collect(),
        }
    }
}

impl TryFrom<pb::AcquireRequest> for Acquire {
    type Error = InvalidMessage;
    fn try_from(wire: pb::AcquireRequest) -> Result<Self, InvalidMessage> {
        let at_hand = wire.at_hand.iter().map(|text| parse("at_hand", text));
        Ok(Self {
            session: session(&wire.worker, wire.session)?,
            max: wire.max,
            wait: Duration::from_millis(wire.wait_ms),
            at_hand: at_hand.collect::<Result<_, _>>()?,
        })
    }
}

impl From<Grant> for pb::Grant {
    fn from(grant: Grant) -> Self {
        Self {
            job: grant.job.to_string(),
            lease: grant.lease.0,
            attempt: grant.attempt.0,
            sweep: grant.sweep.into(),
            stage: grant.stage.to_string(),
            memory_halvings: grant.memory_halvings,
        }
    }
}

impl TryFrom<pb::Grant> for Grant {
    type Error = InvalidMessage;
    fn try_from(wire: pb::Grant) -> Result<Self, InvalidMessage> {
        Ok(Self {
            job: job_key(&wire.job)?,
            lease: LeaseId(wire.lease),
            attempt: Attempt(wire.attempt),
            sweep: parse("sweep", &wire.sweep)?,
            stage: parse("stage", &wire.stage)?,
            memory_halvings: wire.memory_halvings,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::ids::JobKey;

    #[test]
    fn a_peers_nonsense_names_the_field() {
        let good = pb::Grant {
            job: JobKey(Digest::of(b"job")).to_string(),
            sweep: "hello-3fa81c20".into(),
            stage: "train".into(),
            ..pb::Grant::default()
        };
        assert!(Grant::try_from(good.clone()).is_ok());
        let cases = [
            (
                pb::Grant {
                    job: "../etc".into(),
                    ..good.clone()
                },
                "job",
            ),
            (
                pb::Grant {
                    sweep: "a/b".into(),
                    ..good.clone()
                },
                "sweep",
            ),
            (
                pb::Grant {
                    stage: "deploy".into(),
                    ..good
                },
                "stage",
            ),
        ];
        for (wire, field) in cases {
            assert_eq!(Grant::try_from(wire).map_err(|e| e.field), Err(field));
        }
    }

    #[test]
    fn a_worker_without_a_session_is_nobody() {
        let wire = pb::AcquireRequest {
            worker: "w1".into(),
            ..pb::AcquireRequest::default()
        };
        assert_eq!(Acquire::try_from(wire).map_err(|e| e.field), Err("session"));
    }
}
