//! Documents: what was submitted, what was planned, what each job reads.

use bytes::Bytes;
use futures::future;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, Store, layout};
use crate::ids::SweepId;

/// No document is larger: a plan of a million jobs has about 100 MiB.
pub(super) const MAX_DOCUMENT: u64 = 256 << 20;

impl Store {
    /// Keeps a manifest: as it was written, and with every default filled in.
    pub async fn put_manifest(&self, sweep: &SweepId, written: &str, resolved: &str) -> Result<(), Error> {
        let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let (manifest, lock) = (layout::manifest(sweep), layout::manifest_lock(sweep));
        let (written, resolved) = (text(written), text(resolved));
        let puts = future::try_join(
            self.objects.put(&manifest, &written),
            self.objects.put(&lock, &resolved),
        );
        puts.await.map(drop)
    }

    /// A manifest as it was written.
    pub async fn manifest(&self, sweep: &SweepId) -> Result<String, Error> {
        self.text_document(&layout::manifest(sweep)).await
    }

    /// A manifest with every default filled in.
    pub async fn manifest_lock(&self, sweep: &SweepId) -> Result<String, Error> {
        self.text_document(&layout::manifest_lock(sweep)).await
    }

    /// Keeps a sweep's plan, without its jobs.
    pub async fn put_plan<Plan: Serialize>(&self, sweep: &SweepId, plan: &Plan) -> Result<(), Error> {
        self.put_document(&layout::plan(sweep), plan).await
    }

    /// A sweep's plan, without its jobs.
    pub async fn plan<Plan: DeserializeOwned>(&self, sweep: &SweepId) -> Result<Plan, Error> {
        self.document(&layout::plan(sweep)).await
    }

    /// The sweeps that were ever submitted to this bucket, sorted.
    pub async fn sweeps(&self) -> Result<Vec<SweepId>, Error> {
        let (_, names) = self.objects.list_level(layout::SWEEPS).await?;
        // A folder that is no sweep's is none of our business.
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    pub(super) async fn put_document<T: Serialize>(&self, key: &str, value: &T) -> Result<(), Error> {
        self.objects.put(key, &encode(key, value)?).await
    }

    async fn text_document(&self, key: &str) -> Result<String, Error> {
        let bytes = self.objects.get(key, MAX_DOCUMENT).await?;
        String::from_utf8(bytes.into()).map_err(|_| Error::corrupt(key, "it is not UTF-8"))
    }

    pub(super) async fn document<T: DeserializeOwned>(&self, key: &str) -> Result<T, Error> {
        decode(key, &self.objects.get(key, MAX_DOCUMENT).await?)
    }
}

/// JSON that people can read.
pub(super) fn encode<T: Serialize>(key: &str, value: &T) -> Result<Bytes, Error> {
    let mut text =
        serde_json::to_vec_pretty(value).map_err(|error| Error::corrupt(key, error.to_string()))?;
    text.push(b'\n');
    Ok(text.into())
}

pub(super) fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::corrupt(key, error.to_string()))
}
