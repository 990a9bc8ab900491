//! Small nouns used by both services.

use std::collections::BTreeMap;

use vico_proto::v1 as pb;

use super::{InvalidMessage, parse};
use crate::ids::{JobKey, WorkerId};
use crate::job::{BlobRef, DeviceFacts, Failure, Progress, Session};

impl From<DeviceFacts> for pb::DeviceFacts {
    fn from(device: DeviceFacts) -> Self {
        let DeviceFacts {
            name,
            vram,
            driver,
            compute,
        } = device;
        Self {
            name,
            vram,
            driver,
            compute,
        }
    }
}

impl From<pb::DeviceFacts> for DeviceFacts {
    fn from(device: pb::DeviceFacts) -> Self {
        let pb::DeviceFacts {
            name,
            vram,
            driver,
            compute,
        } = device;
        Self {
            name,
            vram,
            driver,
            compute,
        }
    }
}

impl From<Progress> for pb::Progress {
    fn from(progress: Progress) -> Self {
        let Progress { done, of, note } = progress;
        Self { done, of, note }
    }
}

impl From<pb::Progress> for Progress {
    fn from(progress: pb::Progress) -> Self {
        let pb::Progress { done, of, note } = progress;
        Self { done, of, note }
    }
}

pub(super) fn outputs_to_wire(outputs: BTreeMap<String, BlobRef>) -> Vec<pb::Output> {
    let wire = |(name, blob): (String, BlobRef)| pb::Output {
        name,
        digest: blob.digest.to_string(),
        size: blob.size,
    };
    outputs.into_iter().map(wire).collect()
}

pub(super) fn outputs_from_wire(wire: Vec<pb::Output>) -> Result<BTreeMap<String, BlobRef>, InvalidMessage> {
    let output = |wire: pb::Output| {
        let digest = parse("outputs.digest", &wire.digest)?;
        let size = wire.size;
        Ok((wire.name, BlobRef { digest, size }))
    };
    wire.into_iter().map(output).collect()
}

pub(super) fn job_key(text: &str) -> Result<JobKey, InvalidMessage> {
    parse("job", text).map(JobKey)
}

pub(super) fn session(worker: &str, nonce: String) -> Result<Session, InvalidMessage> {
    if nonce.is_empty() {
        return Err(InvalidMessage {
            field: "session",
            reason: "is empty".to_owned(),
        });
    }
    let worker: WorkerId = parse("worker", worker)?;
    Ok(Session { worker, nonce })
}

/// `None` where the class is empty.
pub(super) fn failure(class: &str, message: String) -> Result<Option<Failure>, InvalidMessage> {
    if class.is_empty() {
        return Ok(None);
    }
    let class = parse("failure_class", class)?;
    Ok(Some(Failure { class, message }))
}
