//! Training states to the bucket, and the latest of them back.

use tokio::sync::mpsc;
use vico::ids::JobKey;
use vico::job::Failure;
use vico::store::Checkpoint as Stored;

use crate::engine::{Checkpoint, NamedBytes};
use crate::failure::{internal, of_store};
use crate::lease::Lease;
use crate::worker::Worker;

/// Checkpoints kept while a job runs: the latest, and one more in case it is damaged.
const KEPT: usize = 2;

/// Stores every checkpoint that comes, until the engine lets go of its end. One that cannot be stored costs the train
/// steps behind it if the worker is lost, and nothing otherwise, so training goes on. `found` are those that
/// were there when it was decided where to continue.
pub async fn store(worker: &Worker, lease: &Lease, found: &[Stored], mut made: mpsc::Receiver<Checkpoint>) {
    while let Some(checkpoint) = made.recv().await {
        let done = checkpoint.steps_done;
        match store_one(worker, lease, checkpoint).await {
            Ok(stored) => {
                // The engine may have been waiting to hand over the next, and could not say that it is alive.
                lease.sign();
                lease.log(format!("checkpoint stored after train step {done}"));
                trim(worker, &stored, found).await;
            }
            Err(failure) => {
                let reason = failure.message;
                tracing::warn!(train_step = done, reason, "checkpoint not stored");
                lease.log(format!("checkpoint after train step {done} not stored: {reason}"));
            }
        }
    }
}

async fn store_one(worker: &Worker, lease: &Lease, checkpoint: Checkpoint) -> Result<Stored, Failure> {
    let Checkpoint { steps_done, encode } = checkpoint;
    let encoded = tokio::task::spawn_blocking(encode).await;
    let bytes = encoded.map_err(|stopped| internal(format!("writing a checkpoint: {stopped}")))??;
    let (job, number) = (lease.grant.job, lease.grant.lease);
    let stored = worker.store.put_checkpoint(job, steps_done, number, bytes.into());
    stored.await.map_err(of_store)
}

/// Deletes what `latest` makes superfluous. What stays costs room, and is tried again with the next.
async fn trim(worker: &Worker, latest: &Stored, found: &[Stored]) {
    if let Err(error) = worker.store.trim_checkpoints(latest, KEPT, found).await {
        tracing::warn!(%error, "earlier checkpoints not deleted");
    }
}

/// What other attempts have stored so far.
///
/// # Errors
/// The bucket fails.
pub async fn found(worker: &Worker, job: JobKey) -> Result<Vec<Stored>, Failure> {
    worker.store.checkpoints(job).await.map_err(of_store)
}

/// The latest of the checkpoints that were `found`.
///
/// # Errors
/// The bucket fails.
pub async fn latest(worker: &Worker, found: &[Stored]) -> Result<Option<NamedBytes>, Failure> {
    let latest = worker.store.latest_checkpoint(found).await.map_err(of_store)?;
    Ok(latest.map(|(checkpoint, bytes)| NamedBytes {
        name: format!(
            "the checkpoint of lease {} at train step {}",
            checkpoint.lease, checkpoint.step
        ),
        bytes: bytes.into(),
    }))
}

/// Deletes the checkpoints of a job that is done. What stays costs room and nothing else.
pub async fn clear(worker: &Worker, job: JobKey) {
    if let Err(error) = worker.store.delete_checkpoints(job).await {
        tracing::warn!(%error, "checkpoints not deleted");
    }
}
