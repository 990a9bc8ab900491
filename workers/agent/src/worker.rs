//! What all attempts of a worker share.

use std::time::Duration;

use vico::job::{BlobRef, Failure};
use vico::store::Store;

use crate::at_hand::AtHand;
use crate::cache::Cache;
use crate::failure::{of_cache, of_store};
use crate::leave::Leave;
use crate::link::Link;
use crate::meters::Meters;
use crate::models::Verified;
use crate::tracer::Tracer;

/// A worker that has registered and knows its bucket.
#[derive(Debug)]
pub struct Worker {
    /// The line to the coordinator.
    pub link: Link,
    /// The bucket.
    pub store: Store,
    /// Blobs on the local disk.
    pub cache: Cache,
    /// Model files that are read where they are.
    pub verified: Verified,
    /// What the coordinator is told to be quick here.
    pub at_hand: AtHand,
    /// Where it tells how long things took.
    pub tracer: Tracer,
    /// What it counts.
    pub meters: Meters,
    /// How long an engine may give no sign of life.
    pub patience: Duration,
    /// Whether it computes on a GPU.
    pub on_gpu: bool,
    /// Whether the worker must leave, and why.
    pub leave: Leave,
}

impl Worker {
    /// A blob's bytes, by way of the cache unless the bucket is on this machine's disk anyway.
    ///
    /// # Errors
    /// The bucket or the local disk fails.
    pub async fn bytes(&self, blob: &BlobRef) -> Result<Vec<u8>, Failure> {
        if self.store.local_root().is_some() {
            return Ok(self.store.blob(blob).await.map_err(of_store)?.into());
        }
        let fetch = |to: std::path::PathBuf| async move { self.store.blob_to_file(blob, &to).await };
        let file = self.cache.file(blob, fetch).await.map_err(of_cache)?;
        file.read().await.map_err(of_cache)
    }

    /// Stores what a job has made, and keeps it at hand for the next stage of its run, which may well come here.
    ///
    /// # Errors
    /// The bucket fails.
    pub async fn put(&self, bytes: Vec<u8>) -> Result<BlobRef, Failure> {
        let bytes = bytes::Bytes::from(bytes);
        let blob = self.store.put_blob(bytes.clone()).await.map_err(of_store)?;
        if self.store.local_root().is_none() {
            let keep = |to| tokio::fs::write(to, bytes);
            if let Err(error) = self.cache.file(&blob, keep).await {
                tracing::debug!(%error, "output not kept in the cache");
            }
        }
        Ok(blob)
    }
}
