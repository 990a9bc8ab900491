//! Coordinators die; what was answered stays true.

use std::collections::BTreeMap;
use std::time::Duration;

use vico::clock::Timestamp;
use vico::job::{DeviceFacts, FailureClass, JobState, Receipt};
use vico::status::SweepState;
use vico::store;
use vico_coord::Error;

use crate::bench::{Bench, Running, manifest};

#[tokio::test]
async fn a_worker_keeps_its_job_across_a_crash() {
    let bench = Bench::new().await;
    let sweep = bench.submit(manifest("hello", 2)).await;
    let worker = bench.worker("w1", 1).await;
    let grant = worker.acquire_one().await;

    let bench = bench.crash().await;
    let worker = worker.at(bench.leases());
    let error = worker.complete(&grant).await.unwrap_err();
    assert!(
        error.to_string().contains("is not registered in this session"),
        "{error}"
    );
    assert_eq!(worker.register(&[&grant]).await.unwrap().revoked, []);
    worker.complete(&grant).await.unwrap();
    assert_eq!(worker.work().await, 5);
    assert_eq!(bench.wait_for(&sweep).await.state, SweepState::Succeeded);
}

#[tokio::test]
async fn a_worker_started_anew_gives_up_what_it_held() {
    let bench = Bench::new().await;
    bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 1).await;
    let grant = worker.acquire_one().await;
    let bench = bench.crash().await;
    let mut worker = worker.at(bench.leases());
    worker.session.nonce = "second start".to_owned();
    worker.register(&[]).await.unwrap();
    let again = worker.acquire_one().await;
    assert_eq!((again.job, again.attempt.0), (grant.job, 2));
    assert!(again.lease > grant.lease);
}

#[tokio::test]
async fn failures_are_counted_across_crashes() {
    let mut bench = Bench::new().await;
    let sweep = bench.submit(manifest("hello", 1)).await;
    for attempt in 1..=2 {
        let worker = bench.worker("w1", 1).await;
        let grant = worker.acquire_one().await;
        assert_eq!(grant.attempt.0, attempt);
        worker.fail(&grant, FailureClass::Storage).await.unwrap();
        bench = bench.crash().await;
    }
    let status = bench.wait_for(&sweep).await;
    assert_eq!(status.state, SweepState::Failed);
}

#[tokio::test]
async fn a_receipt_that_nobody_heard_of_is_noticed() {
    let bench = Bench::new().await;
    let sweep = bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 1).await;
    let grant = worker.acquire_one().await;
    // The coordinator writes the receipt and dies before the event.
    let receipt = Receipt {
        job: grant.job,
        stage: grant.stage,
        outputs: worker.make_outputs(&grant).await,
        upstream: Vec::new(),
        worker: worker.session.worker.clone(),
        device: DeviceFacts::default(),
        lease: grant.lease,
        attempt: grant.attempt,
        started: Timestamp(1),
        finished: Timestamp(2),
    };
    bench.store.commit_receipt(&receipt).await.unwrap();
    let bench = bench.crash().await;
    let jobs = bench.users().describe_sweep(&sweep).await.unwrap().jobs;
    let states: BTreeMap<_, _> = jobs.iter().map(|job| (job.stage.as_str(), job.state)).collect();
    assert_eq!(states["train"], JobState::Succeeded);
    assert_eq!(states["sample"], JobState::Ready);
    let worker = worker.at(bench.leases());
    assert_eq!(worker.register(&[&grant]).await.unwrap().revoked, [grant.lease]);
}

#[tokio::test]
async fn a_clean_stop_loses_nothing_either() {
    let bench = Bench::new().await;
    let sweep = bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 1).await;
    let grant = worker.acquire_one().await;
    let before = bench.status(&sweep).await;
    let store = bench.store.clone();
    bench.coordinator.stop().await.unwrap();
    let next = Running::start(store, Duration::from_secs(30)).await;
    let detail = next.users().describe_sweep(&sweep).await.unwrap();
    assert_eq!(detail.status.stages, before.stages);
    let held = detail.jobs.iter().find(|job| job.job == grant.job).unwrap();
    assert_eq!((held.state, held.attempts), (JobState::Leased, 1));
}

#[tokio::test]
async fn the_older_of_two_coordinators_steps_down() {
    let bench = Bench::new().await;
    let sweep = bench.submit(manifest("hello", 1)).await;
    let newer = Running::start(bench.store.clone(), Duration::from_secs(30)).await;
    // The older one does not know yet, and must not get a word through.
    let error = bench.users().cancel(&sweep).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let outcome = bench.coordinator.ended().await;
    assert!(
        matches!(outcome, Err(Error::Store(store::Error::Fenced { .. }))),
        "{outcome:?}"
    );
    let status = newer.users().describe_sweep(&sweep).await.unwrap().status;
    assert_eq!(status.state, SweepState::Running);
    newer.users().cancel(&sweep).await.unwrap();
}

#[tokio::test]
async fn results_that_were_not_written_are_written_after_a_crash() {
    let bench = Bench::new().await;
    let sweep = bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 1).await;
    for _ in 0..3 {
        let grant = worker.acquire_one().await;
        worker.complete(&grant).await.unwrap();
    }
    let bench = bench.crash().await;
    assert_eq!(bench.wait_for(&sweep).await.state, SweepState::Succeeded);
    assert!(
        bench
            .store
            .result(&sweep, "leaderboard.json")
            .await
            .unwrap()
            .is_some()
    );
}
