//! One try at a job, from its grant to its end: fetch → compute → upload → ask for the commit.
//!
//! Only the coordinator commits. An attempt whose lease is lost says nothing any more; one whose worker must leave gives
//! its lease back, which is no failure.

use std::collections::BTreeMap;
use std::sync::Arc;

use vico::job::{BlobRef, Completion, FailedAttempt, Failure};
use vico::protocol::{ClientError, RefusalKind};

use crate::engine::{Ended, EngineThread, Watch, Work};
use crate::failure::internal;
use crate::lease::Lease;
use crate::meters::Outcome;
use crate::worker::Worker;
use crate::{checkpoints, prepare, upload};

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

/// Does the job under `lease` on the engine of slot `slot`, and tells the coordinator how it went.
pub async fn run(worker: &Worker, lease: Arc<Lease>, slot: u32, engine: &EngineThread) {
    worker.meters.attempt_begins();
    let ending = work(worker, &lease, slot, engine).await;
    let ending = if lease.is_lost() { Ending::Lost } else { ending };
    let outcome = match ending {
        Ending::Made(outputs) => complete(worker, &lease, outputs).await,
        Ending::Failed(failure) => fail(worker, &lease, failure).await,
        Ending::Left => release(worker, &lease).await,
        Ending::Lost => give_up(),
    };
    worker.meters.attempt_ended(outcome);
    worker.link.leases().forget(lease.grant.lease);
}

async fn work(worker: &Worker, lease: &Arc<Lease>, slot: u32, engine: &EngineThread) -> Ending {
    let prepared = tokio::select! {
        biased;
        () = lease.lost() => return Ending::Lost,
        () = worker.leave.cancelled() => return Ending::Left,
        prepared = worker.tracer.part("fetch", &lease.grant, prepare::work(worker, lease)) => prepared,
    };
    match prepared {
        Ok(work) => compute(worker, lease, slot, engine, work).await,
        Err(failure) => Ending::Failed(failure),
    }
}

/// Computes while outputs and checkpoints are uploaded as they come.
async fn compute(
    worker: &Worker,
    lease: &Arc<Lease>,
    slot: u32,
    engine: &EngineThread,
    work: Work,
) -> Ending {
    let (watch, watched) = Watch::new(Arc::clone(lease), worker.leave.clone(), worker.meters.clone());
    let (report, outputs, ()) = tokio::join!(
        worker
            .tracer
            .part("compute", &lease.grant, engine.execute(work, watch)),
        worker
            .tracer
            .part("store", &lease.grant, upload::outputs(worker, watched.outputs)),
        checkpoints::store(worker, lease, watched.checkpoints),
    );
    worker.at_hand.set_loaded(slot, report.loaded);
    match (report.ended, outputs) {
        (Err(failure), _) | (Ok(_), Err(failure)) => Ending::Failed(failure),
        (Ok(Ended::Finished), Ok(outputs)) => Ending::Made(outputs),
        (Ok(Ended::Stopped), Ok(_)) => Ending::Left,
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
        () = lease.lost() => return Outcome::Lost,
        answer = worker.tracer.part("commit", &lease.grant, ask) => answer,
    };
    match answer {
        Ok(()) => {
            tracing::info!(outputs = completion.outputs.len(), "job done");
            worker.at_hand.note(lease.grant.job.0);
            checkpoints::clear(worker, lease.grant.job).await;
            Outcome::Done
        }
        Err(error) if is_stale(&error) => {
            lease.lose(&error.to_string());
            Outcome::Lost
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
    tokio::select! {
        () = lease.lost() => {}
        answer = ask => match answer {
            Err(error) if is_stale(&error) => lease.lose(&error.to_string()),
            Err(error) => tracing::warn!(%error, "the coordinator does not take the failure"),
            Ok(()) => {}
        }
    }
    Outcome::Failed
}

/// Gives the lease back. If the coordinator does not answer, the lease runs out by itself.
async fn release(worker: &Worker, lease: &Lease) -> Outcome {
    tracing::info!("attempt stopped, the worker is leaving");
    if let Err(error) = worker.link.release(vec![lease.grant.lease], false).await {
        tracing::warn!(%error, "lease not released");
    }
    Outcome::Left
}

fn give_up() -> Outcome {
    tracing::info!("attempt given up: its lease is lost");
    Outcome::Lost
}

fn is_stale(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused(refusal) if refusal.kind == RefusalKind::StaleLease)
}
