//! Every key in the bucket. No other file spells one out.
//!
//! ```text
//! blobs/<2 hex>/<64 hex>                             immutable bytes by digest
//! jobs/<key>/receipt.json                            what a job made
//! jobs/<key>/checkpoint/<train step>-<lease>-<checksum>.safetensors
//! jobs/<key>/log/<attempt>.txt
//! sweeps/<sweep>/manifest.yaml, manifest.lock.yaml, plan.json
//! sweeps/<sweep>/jobs/<2 hex>.zst                    what each job reads, by the beginning of its key
//! state/log/<number>.seg                             the journal, create-only
//! state/snapshot/<number>.snap                       the state after segment <number>, create-only
//! state/probe/…                                      storage-check's scratch
//! models/<digest of URL>.json                        digests of model files seen before
//! results/<sweep>/…                                  for people: images, adapters, tables
//! ```

use crate::digest::Digest;
use crate::ids::{Attempt, JobKey, LeaseId, SweepId};

pub(super) const SEGMENTS: &str = "state/log";
pub(super) const SNAPSHOTS: &str = "state/snapshot";
pub(super) const SWEEPS: &str = "sweeps";
pub(super) const JOBS: &str = "jobs";
pub(super) const BLOBS: &str = "blobs";

pub(super) fn blob(digest: Digest) -> String {
    let hex = digest.to_string();
    format!("blobs/{}/{hex}", &hex[..2])
}

/// The digest of a key made by [`blob`].
pub(super) fn blob_digest(key: &str) -> Option<Digest> {
    let digest = file_name(key).parse().ok()?;
    (blob(digest) == key).then_some(digest)
}

pub(super) fn pages(sweep: &SweepId) -> String {
    format!("sweeps/{sweep}/jobs")
}

pub(super) fn page(sweep: &SweepId, first: u8) -> String {
    format!("sweeps/{sweep}/jobs/{first:02x}.zst")
}

pub(super) fn receipt(job: JobKey) -> String {
    format!("jobs/{job}/receipt.json")
}

pub(super) fn is_receipt(key: &str) -> bool {
    file_name(key) == "receipt.json"
}

/// The job of a key below its folder.
pub(super) fn job_of(key: &str) -> Option<&str> {
    key.strip_prefix("jobs/")?.split('/').next()
}

pub(super) fn logs(job: JobKey) -> String {
    format!("jobs/{job}/log")
}

pub(super) fn log(job: JobKey, attempt: Attempt) -> String {
    format!("jobs/{job}/log/{attempt}.txt")
}

/// The attempt of a key made by [`log`].
pub(super) fn log_attempt(key: &str) -> Option<Attempt> {
    file_name(key).strip_suffix(".txt")?.parse().ok().map(Attempt)
}

pub(super) fn checkpoints(job: JobKey) -> String {
    format!("jobs/{job}/checkpoint")
}

/// `sum` is a part of the digest: enough to notice damage, and short enough for any file system.
pub(super) fn checkpoint(job: JobKey, step: u64, lease: LeaseId, sum: &str) -> String {
    format!("jobs/{job}/checkpoint/{step:010}-{lease}-{sum}.safetensors")
}

/// Train step, lease and checksum of a key made by [`checkpoint`].
pub(super) fn checkpoint_parts(key: &str) -> Option<(u64, LeaseId, String)> {
    let stem = file_name(key).strip_suffix(".safetensors")?;
    let mut parts = stem.split('-');
    let (step, lease, sum) = (parts.next()?, parts.next()?, parts.next()?);
    Some((step.parse().ok()?, LeaseId(lease.parse().ok()?), sum.to_owned()))
}

pub(super) fn manifest(sweep: &SweepId) -> String {
    format!("sweeps/{sweep}/manifest.yaml")
}

pub(super) fn manifest_lock(sweep: &SweepId) -> String {
    format!("sweeps/{sweep}/manifest.lock.yaml")
}

pub(super) fn plan(sweep: &SweepId) -> String {
    format!("sweeps/{sweep}/plan.json")
}

pub(super) fn model_digests(url: &str) -> String {
    format!("models/{}.json", Digest::of(url.as_bytes()))
}

pub(super) fn segment(number: u64) -> String {
    format!("state/log/{number:020}.seg")
}

pub(super) fn snapshot(number: u64) -> String {
    format!("state/snapshot/{number:020}.snap")
}

/// The number of a key made by [`segment`] or [`snapshot`].
pub(super) fn number(key: &str) -> Option<u64> {
    let name = file_name(key);
    let digits = name.strip_suffix(".seg").or_else(|| name.strip_suffix(".snap"))?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

/// Whether submitting a sweep again writes the object again, where it is gone.
pub(super) fn is_document(key: &str) -> bool {
    let below = key.strip_prefix(SWEEPS);
    below.is_some_and(|rest| rest.starts_with('/'))
}

/// Whether others build on the object, and nothing may ever make it again: what a job made counts as made.
pub(super) fn is_irreplaceable(key: &str) -> bool {
    number(key).is_some() || blob_digest(key).is_some() || is_receipt(key)
}

pub(super) fn probe(name: &str) -> String {
    format!("state/probe/{name}")
}

pub(super) fn results(sweep: &SweepId) -> String {
    format!("results/{sweep}")
}

fn file_name(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back() {
        let job = JobKey(Digest::of(b"job"));
        let key = checkpoint(job, 400, LeaseId(7), "ab12");
        assert_eq!(checkpoint_parts(&key), Some((400, LeaseId(7), "ab12".to_owned())));
        assert_eq!(log_attempt(&log(job, Attempt(3))), Some(Attempt(3)));
        assert_eq!(number(&segment(12)), Some(12));
        assert_eq!(number(&snapshot(u64::MAX)), Some(u64::MAX));
    }

    #[test]
    fn strangers_in_the_folder_are_no_keys() {
        for stranger in [
            "state/log/12.seg",
            "state/log/x",
            "state/log/00000000000000000012.tmp",
        ] {
            assert_eq!(number(stranger), None, "{stranger}");
        }
        assert_eq!(checkpoint_parts("jobs/x/checkpoint/notes.txt"), None);
    }

    #[test]
    fn numbers_sort_as_text() {
        assert!(segment(9) < segment(10));
        assert!(snapshot(99_999) < snapshot(100_000));
    }
}
