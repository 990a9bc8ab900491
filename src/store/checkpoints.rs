//! Checkpoints: training states to continue from. Their checksum is part of their name, so a damaged one is never used.

use bytes::Bytes;

use super::retry::retrying;
use super::{Error, Store, layout, transfer};
use crate::digest::Digest;
use crate::ids::{JobKey, LeaseId};

/// A training state in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The job it belongs to.
    pub job: JobKey,
    /// Train steps done.
    pub step: u64,
    /// The lease under which it was made.
    pub lease: LeaseId,
    /// The first half of its BLAKE3, in hexadecimal.
    pub checksum: String,
    /// How many bytes.
    pub size: u64,
}

impl Store {
    /// Keeps a training state.
    pub async fn put_checkpoint(
        &self,
        job: JobKey,
        step: u64,
        lease: LeaseId,
        bytes: Bytes,
    ) -> Result<Checkpoint, Error> {
        let checkpoint = Checkpoint {
            job,
            step,
            lease,
            checksum: checksum(&bytes),
            size: bytes.len() as u64,
        };
        let key = key(&checkpoint);
        retrying(async || self.upload_bytes(&key, &bytes).await).await?;
        Ok(checkpoint)
    }

    /// A job's checkpoints, the furthest last; of two at the same train step the later lease's.
    pub async fn checkpoints(&self, job: JobKey) -> Result<Vec<Checkpoint>, Error> {
        let objects = self.objects.list(&layout::checkpoints(job)).await?;
        let mut found: Vec<Checkpoint> = objects
            .iter()
            .filter_map(|object| {
                let (step, lease, checksum) = layout::checkpoint_parts(&object.key)?;
                let size = object.size;
                Some(Checkpoint {
                    job,
                    step,
                    lease,
                    checksum,
                    size,
                })
            })
            .collect();
        found.sort_by_key(|checkpoint| (checkpoint.step, checkpoint.lease));
        Ok(found)
    }

    /// The furthest of what [`Store::checkpoints`] has found whose bytes are sound. A damaged one is passed over with a warning.
    pub async fn latest_checkpoint(
        &self,
        found: &[Checkpoint],
    ) -> Result<Option<(Checkpoint, Bytes)>, Error> {
        for checkpoint in found.iter().rev() {
            match self.checkpoint(checkpoint).await {
                Ok(bytes) => return Ok(Some((checkpoint.clone(), bytes))),
                Err(error @ (Error::Corrupt { .. } | Error::NotFound { .. })) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "checkpoint passed over");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Reads one checkpoint and compares it with its checksum.
    pub async fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<Bytes, Error> {
        let key = key(checkpoint);
        let bytes = transfer::download_bytes(&self.objects, &key, checkpoint.size).await?;
        let found = checksum(&bytes);
        if found != checkpoint.checksum {
            let expected = &checkpoint.checksum;
            return Err(Error::corrupt(
                &key,
                format!("checksum {expected} expected, {found} found"),
            ));
        }
        Ok(bytes)
    }

    /// Deletes what nobody needs once `latest` is stored. Of checkpoints under its lease and earlier ones, the furthest `keep` up
    /// to it stay. Those that are further go if they are among `found`, where its attempt looked for one to continue from: it could
    /// not use them, because they are damaged or do not fit. Others belong to an attempt that still runs, as do those of later
    /// leases.
    pub async fn trim_checkpoints(
        &self,
        latest: &Checkpoint,
        keep: usize,
        found: &[Checkpoint],
    ) -> Result<(), Error> {
        let mut ours = self.checkpoints(latest.job).await?;
        ours.retain(|checkpoint| checkpoint.lease <= latest.lease);
        let sound = ours.partition_point(|checkpoint| checkpoint.step <= latest.step);
        let old = sound.saturating_sub(keep);
        let passed_over = ours[sound..]
            .iter()
            .filter(|checkpoint| found.contains(checkpoint));
        for checkpoint in ours[..old].iter().chain(passed_over) {
            self.objects.delete(&key(checkpoint)).await?;
        }
        Ok(())
    }

    /// Deletes all checkpoints of a job.
    pub async fn delete_checkpoints(&self, job: JobKey) -> Result<(), Error> {
        for checkpoint in self.checkpoints(job).await? {
            self.objects.delete(&key(&checkpoint)).await?;
        }
        Ok(())
    }
}

fn key(checkpoint: &Checkpoint) -> String {
    layout::checkpoint(
        checkpoint.job,
        checkpoint.step,
        checkpoint.lease,
        &checkpoint.checksum,
    )
}

fn checksum(bytes: &[u8]) -> String {
    let mut hex = Digest::of(bytes).to_string();
    hex.truncate(hex.len() / 2);
    hex
}
