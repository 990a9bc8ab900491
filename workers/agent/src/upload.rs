//! Outputs to the bucket, while the engine is making the next.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::mpsc;
use vico::job::{BlobRef, Failure};

use crate::engine::watch::Output;
use crate::lease::Lease;
use crate::worker::Worker;

/// Uploads at the same time: enough to hide the latency of a store.
const AT_ONCE: usize = 8;

/// Uploads every output that comes, until the engine lets go of its end.
///
/// # Errors
/// An upload fails; what comes after it is not taken, which tells the engine to stop.
pub async fn outputs(
    worker: &Worker,
    lease: &Lease,
    mut made: mpsc::Receiver<Output>,
) -> Result<BTreeMap<String, BlobRef>, Failure> {
    let made = stream::poll_fn(move |context| made.poll_recv(context));
    let upload = |Output { name, bytes }| async move {
        let blob = worker.put(bytes).await?;
        // The engine may have been waiting for room, and could not say that it is alive.
        lease.sign();
        Ok((name, blob))
    };
    made.map(upload).buffer_unordered(AT_ONCE).try_collect().await
}
