//! What the jobs of a sweep read, in at most 256 objects: a million jobs are then no more requests than a few hundred.
//!
//! The object `sweeps/<sweep>/jobs/<2 hex>.zst` holds the jobs whose keys begin with these digits, in order, one line each:
//! the key, a space, the job as JSON. Its name follows from the key alone, so that a worker finds its job with one request.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::documents::{MAX_DOCUMENT, decode};
use super::{Error, Store, layout};
use crate::ids::{JobKey, SweepId};
use crate::spec::JobSpec;

const REQUESTS_IN_FLIGHT: usize = 16;
/// Jobs of a sweep differ in a few words: the fastest level packs them to a fiftieth.
const LEVEL: i32 = 1;

/// How the names of pages end.
const PACKED: &str = ".zst";

/// As much of a planned job as workers read.
#[derive(Deserialize)]
struct Specified {
    spec: JobSpec,
}

impl Store {
    /// Keeps what a sweep's jobs read.
    pub async fn put_jobs<J: Serialize + Sync>(
        &self,
        sweep: &SweepId,
        jobs: &BTreeMap<JobKey, J>,
    ) -> Result<(), Error> {
        let jobs: Vec<(&JobKey, &J)> = jobs.iter().collect();
        let pages = jobs.chunk_by(|(a, _), (b, _)| first_byte(**a) == first_byte(**b));
        let writes: Vec<_> = pages.map(|page| self.put_page(sweep, page)).collect();
        stream::iter(writes)
            .buffer_unordered(REQUESTS_IN_FLIGHT)
            .try_collect()
            .await
    }

    /// Whether all pages that a sweep's jobs are in are there. None is read.
    pub async fn has_jobs<J: Sync>(
        &self,
        sweep: &SweepId,
        jobs: &BTreeMap<JobKey, J>,
    ) -> Result<bool, Error> {
        let needed: BTreeSet<u8> = jobs.keys().map(|job| first_byte(*job)).collect();
        let listed = self.objects.list(&layout::pages(sweep)).await?;
        let there: BTreeSet<&str> = listed.iter().map(|page| page.key.as_str()).collect();
        let is_there = |first: u8| there.contains(layout::page(sweep, first).as_str());
        Ok(needed.into_iter().all(is_there))
    }

    /// Jobs whose keys begin alike. They are packed when it is their turn, so that few pages are in memory.
    async fn put_page<J: Serialize>(&self, sweep: &SweepId, jobs: &[(&JobKey, &J)]) -> Result<(), Error> {
        let first = jobs.first().map_or(0, |(job, _)| first_byte(**job));
        let key = layout::page(sweep, first);
        let packed = pack(jobs).map_err(|error| Error::corrupt(&key, error.to_string()))?;
        self.objects.put(&key, &packed).await
    }

    /// A sweep's jobs.
    pub async fn jobs<J: DeserializeOwned>(&self, sweep: &SweepId) -> Result<BTreeMap<JobKey, J>, Error> {
        let listed = self.objects.list(&layout::pages(sweep)).await?;
        let pages: Vec<(String, Bytes)> = stream::iter(listed)
            .map(async |page| {
                let packed = self.objects.get(&page.key, MAX_DOCUMENT).await?;
                Ok::<_, Error>((page.key, packed))
            })
            .buffer_unordered(REQUESTS_IN_FLIGHT)
            .try_collect()
            .await?;
        let mut jobs = BTreeMap::new();
        for (key, packed) in pages {
            for line in unpack(&key, &packed)?.lines() {
                let (job, text) = split(&key, line)?;
                jobs.insert(job, decode(&key, text.as_bytes())?);
            }
        }
        Ok(jobs)
    }

    /// What a job of a sweep reads; refused where it is not what the key stands for.
    pub async fn spec(&self, sweep: &SweepId, job: JobKey) -> Result<JobSpec, Error> {
        let key = layout::page(sweep, first_byte(job));
        let text = unpack(&key, &self.objects.get(&key, MAX_DOCUMENT).await?)?;
        let wanted = job.to_string();
        let line = text.lines().find(|line| line.starts_with(&wanted));
        let what = || format!("job {job} in {key}");
        let line = line.ok_or_else(|| Error::NotFound { what: what() })?;
        let Specified { spec } = decode(&key, split(&key, line)?.1.as_bytes())?;
        let found = spec.inputs.key();
        let found = found.map_err(|error| Error::corrupt(&key, error.to_string()))?;
        if found != job {
            let reason = format!("the inputs of job {job} have the key {found}");
            return Err(Error::corrupt(&key, reason));
        }
        Ok(spec)
    }
}

/// A document of a sweep or a job as text: pages are unpacked, others are as they are.
pub(super) fn text_of(key: &str, bytes: Bytes) -> Result<Bytes, Error> {
    if key.ends_with(PACKED) {
        return Ok(unpack(key, &bytes)?.into());
    }
    Ok(bytes)
}

fn first_byte(job: JobKey) -> u8 {
    let [first, ..] = *job.0.as_bytes();
    first
}

fn pack<J: Serialize>(jobs: &[(&JobKey, &J)]) -> std::io::Result<Bytes> {
    let mut text = Vec::new();
    for (key, job) in jobs {
        text.extend_from_slice(key.to_string().as_bytes());
        text.push(b' ');
        serde_json::to_writer(&mut text, job)?;
        text.push(b'\n');
    }
    Ok(zstd::bulk::compress(&text, LEVEL)?.into())
}

fn unpack(key: &str, packed: &[u8]) -> Result<String, Error> {
    let corrupt = |error: std::io::Error| Error::corrupt(key, error.to_string());
    let mut text = String::new();
    let unpacked = zstd::stream::read::Decoder::new(packed).map_err(corrupt)?;
    unpacked
        .take(MAX_DOCUMENT + 1)
        .read_to_string(&mut text)
        .map_err(corrupt)?;
    if text.len() as u64 > MAX_DOCUMENT {
        let reason = format!("it unpacks to more than {MAX_DOCUMENT} bytes");
        return Err(Error::corrupt(key, reason));
    }
    Ok(text)
}

fn split<'a>(key: &str, line: &'a str) -> Result<(JobKey, &'a str), Error> {
    let parts = line.split_once(' ');
    let parsed = parts.and_then(|(job, text)| Some((JobKey(job.parse().ok()?), text)));
    parsed.ok_or_else(|| Error::corrupt(key, "a line does not begin with a job's key".to_owned()))
}
