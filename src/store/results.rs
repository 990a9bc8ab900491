//! The tree for people: `results/<sweep>/`. Everything in it can be made again from receipts and blobs.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Error, Store, layout};
use crate::ids::SweepId;
use crate::job::BlobRef;

/// Files that are written at a time, of all sweeps together: where many end at once, their results must not keep the disk from
/// everybody else.
const FILES_IN_FLIGHT: usize = 16;
/// Tables and figures, not images.
const MAX_RESULT: u64 = 1 << 30;

/// A file of a sweep's results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultFile {
    /// Path below `results/<sweep>/`.
    pub path: String,
    /// What is in it.
    pub content: Content,
}

/// Where a result's bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A blob of the bucket, copied inside it.
    Blob(BlobRef),
    /// These bytes; they replace an earlier version.
    Bytes(Bytes),
}

/// What publishing did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Files written.
    pub written: u64,
    /// Files that were there already.
    pub present: u64,
}

/// The places of result files that are being written. Clones share them. Who waits longest gets the next one, so a sweep with
/// few files passes one with many.
#[derive(Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(FILES_IN_FLIGHT)))
    }
}

impl Places {
    /// Always some place once there is one: they are never closed.
    async fn take(&self) -> Option<SemaphorePermit<'_>> {
        self.0.acquire().await.ok()
    }
}

impl Store {
    /// Writes result files; blobs that were published before are left alone, so it can be repeated at will. Publishings beside
    /// each other share the store's requests.
    pub async fn publish(&self, sweep: &SweepId, files: Vec<ResultFile>) -> Result<Published, Error> {
        let folder = layout::results(sweep);
        let counts = stream::iter(files)
            .map(|file| self.publish_one(&folder, file))
            .buffer_unordered(FILES_IN_FLIGHT)
            .try_fold(Published::default(), async |mut sum, written| {
                sum.written += u64::from(written);
                sum.present += u64::from(!written);
                Ok(sum)
            });
        counts.await
    }

    /// A published file, e.g. `leaderboard.json`; `None` where it has not been published.
    pub async fn result(&self, sweep: &SweepId, path: &str) -> Result<Option<Bytes>, Error> {
        let key = format!("{}/{path}", layout::results(sweep));
        self.objects.find(&key, MAX_RESULT).await
    }

    /// Where a sweep's results are, as a URL.
    pub fn results_url(&self, sweep: &SweepId) -> String {
        format!("{}/{}", self.url(), layout::results(sweep))
    }

    async fn publish_one(&self, folder: &str, file: ResultFile) -> Result<bool, Error> {
        let _place = self.result_places.take().await;
        let key = format!("{folder}/{}", file.path);
        match file.content {
            Content::Bytes(bytes) => self.objects.put(&key, &bytes).await.map(|()| true),
            Content::Blob(blob) => {
                let present = self.objects.head(&key).await?;
                if present.is_some_and(|object| object.size == blob.size) {
                    return Ok(false);
                }
                self.objects
                    .copy(&layout::blob(blob.digest), &key)
                    .await
                    .map(|()| true)
            }
        }
    }
}
