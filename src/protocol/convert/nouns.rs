//! Small nouns used by both services.

use std::collections::BTreeMap;

use vico_proto::v1 as pb;

use super::{InvalidMessage, cut, no_longer_than, parse};
use crate::ids::{JobKey, WorkerId};
use crate::job::{BlobRef, DeviceFacts, Failure, Progress, Session};

/// Bytes of a failure's message: it stays in the journal and in the history of its job.
const MOST_MESSAGE: usize = 4096;
/// Bytes of a fact for people: a device's name, a version, what progress adds to its numbers.
pub(super) const MOST_FACT: usize = 256;
/// Bytes of a name that has to be just this one.
const MOST_NAME: usize = 256;

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
            name: cut(name, MOST_FACT),
            vram,
            driver: cut(driver, MOST_FACT),
            compute: cut(compute, MOST_FACT),
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
        let note = cut(note, MOST_FACT);
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
        let name = no_longer_than(MOST_NAME, "outputs.name", wire.name)?;
        Ok((name, BlobRef { digest, size }))
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
    let nonce = no_longer_than(MOST_NAME, "session", nonce)?;
    let worker: WorkerId = parse("worker", worker)?;
    Ok(Session { worker, nonce })
}

/// `None` where the class is empty.
pub(super) fn failure(class: &str, message: String) -> Result<Option<Failure>, InvalidMessage> {
    if class.is_empty() {
        return Ok(None);
    }
    let class = parse("failure_class", class)?;
    let message = cut(message, MOST_MESSAGE);
    Ok(Some(Failure { class, message }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_no_more_than_people_read() {
        let told = |message: &str| match failure("storage", message.to_owned()) {
            Ok(Some(failure)) => failure.message,
            other => panic!("{other:?}"),
        };
        assert_eq!(told("it broke"), "it broke");
        let cut = told(&"ü".repeat(8 << 20));
        assert!(cut.len() <= MOST_MESSAGE && cut.ends_with("ü …"), "{cut}");
        assert_eq!(told(&cut), cut, "whoever reads it again cuts nothing more");
    }

    #[test]
    fn facts_are_short() {
        let long = || "GPU ".repeat(1 << 20);
        let device = DeviceFacts::from(pb::DeviceFacts {
            name: long(),
            vram: 1,
            driver: long(),
            compute: long(),
        });
        for fact in [device.name, device.driver, device.compute] {
            assert!(fact.len() <= MOST_FACT && fact.ends_with(" …"), "{fact}");
        }
        let (done, of, note) = (1, 2, long());
        assert!(Progress::from(pb::Progress { done, of, note }).note.len() <= MOST_FACT);
    }

    #[test]
    fn names_that_are_too_long_are_refused() {
        let field_of = |name: usize| {
            let nonce = session("w1", "n".repeat(name)).map(drop).map_err(|e| e.field);
            let output = pb::Output {
                name: "n".repeat(name),
                digest: "0".repeat(64),
                size: 1,
            };
            let output = outputs_from_wire(vec![output]).map(drop).map_err(|e| e.field);
            [nonce, output]
        };
        assert_eq!(field_of(MOST_NAME), [Ok(()), Ok(())]);
        assert_eq!(field_of(MOST_NAME + 1), [Err("session"), Err("outputs.name")]);
    }
}
