//! Attempts whose receipt is there before they hear of it.

use std::collections::BTreeMap;

use vico::clock::Timestamp;
use vico::ids::{Attempt, JobKey, LeaseId};
use vico::job::{BlobRef, DeviceFacts, Receipt, Stage, output_names};

use crate::support::bench::Bench;
use crate::support::engine::paced;

/// A renewal may be answered between the commit and its answer, and then says that the lease is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_commit_was_not_heard_of_is_done() {
    let bench = Bench::new().await;
    let worker = bench.start("w1", &paced(1).maker());
    let job = bench.train_job(5, 2).await;
    bench.coordinator.hold_completions(true);
    let lease = bench.coordinator.grant(job, Stage::Train);
    let heard = bench
        .coordinator
        .wait_until(|heard| heard.outputs(job).is_some())
        .await;
    let outputs = heard.outputs(job).unwrap().clone();
    bench
        .store
        .commit_receipt(&receipt((job, lease), outputs))
        .await
        .unwrap();
    assert_ne!(bench.store.checkpoints(job).await.unwrap(), []);
    bench.coordinator.revoke(lease, "the job is done");
    let next = bench.train_job(1, 0).await;
    bench.coordinator.hold_completions(false);
    bench.coordinator.grant(next, Stage::Train);
    let heard = bench
        .coordinator
        .wait_until(|heard| {
            heard
                .at_hand
                .last()
                .is_some_and(|at_hand| at_hand.contains(&job.0))
        })
        .await;
    assert!(heard.failures.is_empty());
    assert_eq!(bench.store.checkpoints(job).await.unwrap(), []);
    worker.stop().await;
}

fn receipt((job, lease): (JobKey, LeaseId), outputs: BTreeMap<String, BlobRef>) -> Receipt {
    Receipt {
        job,
        stage: Stage::Train,
        outputs,
        upstream: Vec::new(),
        worker: "w1".parse().unwrap(),
        device: DeviceFacts::default(),
        lease,
        attempt: Attempt(1),
        started: Timestamp(1),
        finished: Timestamp(2),
    }
}

/// The coordinator puts a failure off while it writes the receipt of that very attempt.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_comes_after_the_commit_is_none() {
    let bench = Bench::new().await;
    let worker = bench.start("w1", &paced(0).maker());
    let job = bench.train_job(3, 0).await;
    // It cannot be fetched any more, and so the attempt fails.
    std::fs::write(bench.dir.path().join("model/weights"), b"retrained").unwrap();
    let lease = LeaseId(1);
    bench.coordinator.begin_commit(lease);
    assert_eq!(bench.coordinator.grant(job, Stage::Train), lease);
    bench.coordinator.wait_until(|heard| heard.put_off > 0).await;
    let saved = bench
        .store
        .put_checkpoint(job, 2, lease, b"state".as_slice().into());
    saved.await.unwrap();
    let adapter = bench.store.put_blob(b"adapter".as_slice().into()).await.unwrap();
    let outputs = BTreeMap::from([(output_names::ADAPTER.to_owned(), adapter)]);
    let receipt = receipt((job, lease), outputs);
    bench.store.commit_receipt(&receipt).await.unwrap();
    bench.coordinator.end_commit();
    let heard = bench
        .coordinator
        .wait_until(|heard| {
            let at_hand = heard.at_hand.last();
            at_hand.is_some_and(|at_hand| at_hand.contains(&job.0))
        })
        .await;
    assert!(heard.failures.is_empty(), "{:?}", heard.failures);
    assert_eq!(bench.store.checkpoints(job).await.unwrap(), []);
    worker.stop().await;
}
