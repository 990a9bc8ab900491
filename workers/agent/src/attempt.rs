//! One try at a job, from its grant to its end: fetch → compute → upload → ask for the commit.
//!
//! Only the coordinator commits. An attempt whose lease is lost says nothing any more; one whose worker must leave gives
//! its lease back, which is no failure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vico::job::{BlobRef, Completion, FailedAttempt, Failure};
use vico::protocol::ClientError;

use crate::engine::{Ended, Watch};
use crate::failure::{internal, timeout};
use crate::held::Held;
use crate::lease::Lease;
use crate::meters::Outcome;
use crate::prepare::Prepared;
use crate::slots::Slot;
use crate::worker::Worker;
use crate::{checkpoints, prepare, refused, upload};

type Outputs = BTreeMap<String, BlobRef>;

/// What an attempt came to.
#[derive(Debug)]
enum Ending {
    /// All outputs lie in the bucket.
    Made(Outputs),
    /// It cannot go on.
    Failed(Failure),
    /// The worker must leave; a train job has saved where it was.
    Left,
    /// Somebody else has the job now or has done it, or nobody wants it any more.
    Lost,
}

/// Does the job under `lease` on the engine of `slot`, and tells the coordinator how it went.
pub async fn run(worker: &Worker, lease: Arc<Lease>, slot: &mut Slot) {
    let mut held = Held::of(&worker.meters, worker.link.leases(), &lease);
    let ending = work(worker, &lease, slot).await;
    let ending = if lease.is_lost() { Ending::Lost } else { ending };
    held.outcome = match ending {
        Ending::Made(outputs) => complete(worker, &lease, outputs).await,
        Ending::Failed(failure) => fail(worker, &lease, failure).await,
        Ending::Left => release(worker, &lease).await,
        Ending::Lost => settle(worker, &lease).await,
    };
}

async fn work(worker: &Worker, lease: &Arc<Lease>, slot: &mut Slot) -> Ending {
    let prepared = tokio::select! {
        biased;
        () = lease.lost() => return Ending::Lost,
        () = worker.leave.asked() => return Ending::Left,
        prepared = worker.tracer.part("fetch", &lease.grant, prepare::work(worker, lease)) => prepared,
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => return Ending::Failed(failure),
    };
    lease.sign();
    let computed = CancellationToken::new();
    let ending = tokio::select! {
        biased;
        ending = compute(worker, lease, slot, prepared, &computed) => Some(ending),
        () = silence(lease, worker.patience, &computed) => None,
    };
    ending.unwrap_or_else(|| {
        // Whatever becomes of the attempt, the slot must not keep an engine that hangs.
        slot.replace_engine();
        worker.at_hand.set_loaded(slot.number, Vec::new());
        Ending::Failed(timeout(worker.patience))
    })
}

/// Computes while outputs and checkpoints are uploaded as they come; says when it has `computed` and only uploads are left.
async fn compute(
    worker: &Worker,
    lease: &Arc<Lease>,
    slot: &Slot,
    Prepared { work, found }: Prepared,
    computed: &CancellationToken,
) -> Ending {
    let (watch, watched) = Watch::new(Arc::clone(lease), worker.leave.token(), worker.meters.clone());
    let tracer = &worker.tracer;
    let engine = async {
        let execute = slot.engine.execute(work, watch);
        let report = tracer.part("compute", &lease.grant, execute).await;
        computed.cancel();
        report
    };
    let outputs = upload::outputs(worker, lease, watched.outputs);
    let (report, outputs, ()) = tokio::join!(
        engine,
        tracer.part("store", &lease.grant, outputs),
        checkpoints::store(worker, lease, &found, watched.checkpoints),
    );
    worker.at_hand.set_loaded(slot.number, report.loaded);
    if report.past_help && worker.on_gpu {
        let trouble = "engines fail one after the other: the GPU may work again in a new process, start the worker anew";
        worker.leave.drive_out(trouble.to_owned());
    }
    match (report.ended, outputs) {
        (Err(failure), _) | (Ok(_), Err(failure)) => Ending::Failed(failure),
        (Ok(Ended::Finished), Ok(outputs)) => Ending::Made(outputs),
        (Ok(Ended::Stopped), Ok(_)) => Ending::Left,
    }
}

/// Resolves when the engine has given no sign of life for so long; never once it has `computed`, since the store has a
/// patience of its own.
async fn silence(lease: &Lease, patience: Duration, computed: &CancellationToken) {
    let hangs = async {
        while let Some(left) = patience.checked_sub(lease.silent_for()) {
            // Never exactly over: a little more than what is left.
            tokio::time::sleep(left + Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        biased;
        () = computed.cancelled() => std::future::pending().await,
        () = hangs => {}
    }
}

/// Asks for the commit until there is an answer or the lease is lost.
async fn complete(worker: &Worker, lease: &Lease, outputs: Outputs) -> Outcome {
    let completion = Completion {
        session: worker.link.session(),
        job: lease.grant.job,
        lease: lease.grant.lease,
        outputs,
        log: lease.take_log(),
    };
    let ask = worker.link.persist(|client| {
        let completion = completion.clone();
        async move { client.complete(completion).await }
    });
    let answer = tokio::select! {
        // The commit may be what ended it: a renewal can be answered before the commit is.
        () = lease.lost() => return settle(worker, lease).await,
        answer = worker.tracer.part("commit", &lease.grant, ask) => answer,
    };
    match answer {
        Ok(()) => {
            tracing::info!(outputs = completion.outputs.len(), "job done");
            done(worker, lease).await
        }
        Err(error) if is_over(worker, &error) => {
            lease.lose(&error.to_string());
            settle(worker, lease).await
        }
        Err(error) => {
            let failure = internal(format!("the coordinator does not commit the outputs: {error}"));
            fail(worker, lease, failure).await
        }
    }
}

/// Reports the failure until there is an answer or the lease is lost.
async fn fail(worker: &Worker, lease: &Lease, failure: Failure) -> Outcome {
    tracing::warn!(class = %failure.class, reason = failure.message, "attempt failed");
    let failed = FailedAttempt {
        session: worker.link.session(),
        job: lease.grant.job,
        lease: lease.grant.lease,
        failure,
        log: lease.take_log(),
    };
    let ask = worker.link.persist(|client| {
        let failed = failed.clone();
        async move { client.fail(failed).await }
    });
    let answer = tokio::select! {
        () = lease.lost() => return settle_failed(worker, lease).await,
        answer = ask => answer,
    };
    match answer {
        Ok(()) => Outcome::Failed,
        Err(error) if is_over(worker, &error) => {
            lease.lose(&error.to_string());
            settle_failed(worker, lease).await
        }
        Err(error) => {
            tracing::warn!(%error, "the coordinator does not take the failure");
            Outcome::Failed
        }
    }
}

/// What an attempt came to whose failure nobody would hear of any more: its receipt may have been under way, and won.
async fn settle_failed(worker: &Worker, lease: &Lease) -> Outcome {
    match settle(worker, lease).await {
        Outcome::Done => Outcome::Done,
        Outcome::Failed | Outcome::Left | Outcome::Lost => Outcome::Failed,
    }
}

/// Gives the lease back. If the coordinator does not answer, the lease runs out by itself.
async fn release(worker: &Worker, lease: &Lease) -> Outcome {
    tracing::info!("attempt stopped, the worker is leaving");
    if let Err(error) = worker.link.release(vec![lease.grant.lease], false).await {
        tracing::warn!(%error, "lease not released");
    }
    Outcome::Left
}

async fn done(worker: &Worker, lease: &Lease) -> Outcome {
    worker.at_hand.note(lease.grant.job.0);
    checkpoints::clear(worker, lease.grant.job).await;
    Outcome::Done
}

/// What an attempt without a lease came to. The job's receipt, if there is one, may be its own; in any case checkpoints are
/// needed no more then.
async fn settle(worker: &Worker, lease: &Lease) -> Outcome {
    let receipt = match worker.store.receipt(lease.grant.job).await {
        Ok(receipt) => receipt,
        Err(error) => {
            tracing::warn!(%error, "whether the job has a receipt is not known");
            None
        }
    };
    match receipt {
        Some(receipt) if receipt.lease == lease.grant.lease => done(worker, lease).await,
        found => {
            tracing::info!("attempt given up: its lease is lost");
            if found.is_some() {
                checkpoints::clear(worker, lease.grant.job).await;
            }
            Outcome::Lost
        }
    }
}

/// Whether nothing that is said under the lease will be heard any more.
fn is_over(worker: &Worker, error: &ClientError) -> bool {
    refused::is_stale(error) || worker.link.is_refused()
}
