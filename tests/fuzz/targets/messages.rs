#![no_main]
//! What peers send: every message that a coordinator, a worker or a user's program turns into nouns of its own.

use libfuzzer_sys::fuzz_target;
use prost::Message;
use vico::job::{Acquire, Completion, FailedAttempt, Grant, Introduction, Release, Renewal, Renewed, Welcome};
use vico::status::{JobDetail, LogLine, SweepDetail, WorkerStatus};
use vico_proto::v1 as pb;

/// Reads the bytes as the message and the message as the noun.
fn read<Wire, Noun>(bytes: &[u8])
where
    Wire: Message + Default,
    Noun: TryFrom<Wire>,
{
    if let Ok(message) = Wire::decode(bytes) {
        _ = Noun::try_from(message);
    }
}

fuzz_target!(|bytes: &[u8]| {
    read::<pb::RegisterRequest, Introduction>(bytes);
    read::<pb::AcquireRequest, Acquire>(bytes);
    read::<pb::RenewRequest, Renewal>(bytes);
    read::<pb::CompleteRequest, Completion>(bytes);
    read::<pb::FailRequest, FailedAttempt>(bytes);
    read::<pb::ReleaseRequest, Release>(bytes);
    read::<pb::RegisterReply, Welcome>(bytes);
    read::<pb::Grant, Grant>(bytes);
    read::<pb::RenewReply, Renewed>(bytes);
    read::<pb::SweepDetail, SweepDetail>(bytes);
    read::<pb::JobDetail, JobDetail>(bytes);
    read::<pb::WorkerStatus, WorkerStatus>(bytes);
    read::<pb::LogLine, LogLine>(bytes);
});
