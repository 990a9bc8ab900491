//! What could be deleted: blobs that nothing in the bucket names, and checkpoints of jobs that are done.
//!
//! Receipts and the documents of sweeps are read as text, and whatever looks like a digest in them counts as named. A digest too
//! many costs room, one too few would cost a result.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::documents::MAX_DOCUMENT;
use super::listing::Object;
use super::{Error, Store, jobs, layout};
use crate::clock::Timestamp;
use crate::digest::Digest;

const REQUESTS_IN_FLIGHT: usize = 32;
/// Digits of a digest.
const DIGITS: usize = 64;

/// What a bucket holds that can be deleted, and that cannot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// To be deleted, if somebody wants that.
    pub unneeded: Vec<Unneeded>,
    /// Blobs that stay: they are named, or young.
    pub kept: u64,
    /// Their bytes.
    pub kept_bytes: u64,
}

/// An object that nobody needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unneeded {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub size: u64,
}

impl Store {
    /// Looks for what nobody needs among what was written before `before`.
    ///
    /// It is true of the moment: whoever deletes must see to it that no receipt is written meanwhile, and that workers' blobs that wait
    /// for their receipts are younger.
    pub async fn garbage(&self, before: Timestamp) -> Result<Garbage, Error> {
        let jobs = self.objects.list(layout::JOBS).await?;
        let receipts: Vec<&Object> = jobs
            .iter()
            .filter(|object| layout::is_receipt(&object.key))
            .collect();
        let done: BTreeSet<&str> = receipts
            .iter()
            .filter_map(|receipt| layout::job_of(&receipt.key))
            .collect();
        let mut garbage = Garbage::default();
        let checkpoints = jobs.iter().filter(|object| {
            let is_done = layout::job_of(&object.key).is_some_and(|job| done.contains(job));
            layout::checkpoint_parts(&object.key).is_some() && is_done && object.modified < before
        });
        garbage.unneeded.extend(checkpoints.map(unneeded));
        let sweeps = self.objects.list(layout::SWEEPS).await?;
        let documents = receipts
            .into_iter()
            .chain(&sweeps)
            .map(|object| object.key.clone());
        let named = self.named_in(documents.collect()).await?;
        for blob in self.objects.list(layout::BLOBS).await? {
            let digest = layout::blob_digest(&blob.key);
            // What is no blob is nobody's business.
            if digest.is_some_and(|digest| !named.contains(&digest)) && blob.modified < before {
                garbage.unneeded.push(unneeded(&blob));
            } else {
                garbage.kept += 1;
                garbage.kept_bytes += blob.size;
            }
        }
        Ok(garbage)
    }

    /// Deletes some of it; what is gone already is fine.
    pub async fn delete_unneeded(&self, unneeded: &[Unneeded]) -> Result<(), Error> {
        stream::iter(unneeded)
            .map(async |object| self.objects.delete(&object.key).await)
            .buffer_unordered(REQUESTS_IN_FLIGHT)
            .try_collect()
            .await
    }

    async fn named_in(&self, documents: Vec<String>) -> Result<BTreeSet<Digest>, Error> {
        let found: Vec<BTreeSet<Digest>> = stream::iter(documents)
            .map(async |key| {
                let bytes = self.objects.get(&key, MAX_DOCUMENT).await?;
                Ok::<_, Error>(digests(&jobs::text_of(&key, bytes)?))
            })
            .buffer_unordered(REQUESTS_IN_FLIGHT)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }
}

fn unneeded(object: &Object) -> Unneeded {
    Unneeded {
        key: object.key.clone(),
        size: object.size,
    }
}

/// Everything that looks like a digest.
fn digests(text: &Bytes) -> BTreeSet<Digest> {
    let words = text.split(|byte| !byte.is_ascii_hexdigit());
    let words = words.filter(|word| word.len() == DIGITS);
    words
        .filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok())
        .collect()
}
