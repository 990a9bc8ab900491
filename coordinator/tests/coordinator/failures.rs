//! Attempts that fail, sweeps that are cancelled and retried.

use std::time::Duration;

use vico::job::{FailureClass, JobState};
use vico::protocol::{ClientError, RefusalKind};
use vico::status::SweepState;

use crate::bench::{Bench, manifest};

#[tokio::test]
async fn a_failing_job_is_tried_again_and_then_given_up() {
    let bench = Bench::new().await;
    let sweep = bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 1).await;
    for attempt in 1..=2 {
        let grant = worker.acquire_one().await;
        assert_eq!(grant.attempt.0, attempt);
        worker.fail(&grant, FailureClass::Storage).await.unwrap();
    }
    let status = bench.wait_for(&sweep).await;
    assert_eq!(status.state, SweepState::Failed);
    assert_eq!((status.stages[0].failed, status.stages[1].aborted), (1, 1));
    assert!(
        status
            .notices
            .last()
            .unwrap()
            .contains("given up: storage: it broke"),
        "{:?}",
        status.notices
    );
    // A sweep that failed has results too: they say what is missing.
    assert!(
        bench
            .store
            .result(&sweep, "leaderboard.md")
            .await
            .unwrap()
            .is_some()
    );

    let job = bench.users().describe_sweep(&sweep).await.unwrap().jobs[0]
        .job
        .to_string();
    let detail = bench.users().describe_job(&job).await.unwrap();
    let classes: Vec<_> = detail
        .attempts
        .iter()
        .map(|a| a.failure.as_ref().map(|f| f.class))
        .collect();
    assert_eq!(classes, [Some(FailureClass::Storage); 2]);
    let mut log = bench.users().logs(&job, false).await.unwrap();
    assert_eq!(
        log.next().await.unwrap().unwrap().text,
        "attempt failed: storage: it broke"
    );

    let status = bench
        .users()
        .retry(&sweep, Some(FailureClass::Storage))
        .await
        .unwrap();
    assert_eq!(status.state, SweepState::Running);
    assert_eq!(worker.acquire_one().await.attempt.0, 3);
}

#[tokio::test]
async fn out_of_memory_comes_back_with_a_smaller_batch() {
    let bench = Bench::new().await;
    bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 1).await;
    let grant = worker.acquire_one().await;
    worker.fail(&grant, FailureClass::OutOfMemory).await.unwrap();
    assert_eq!(worker.acquire_one().await.memory_halvings, 1);
}

#[tokio::test]
async fn a_silent_worker_loses_its_job_to_another() {
    let bench = Bench::with_ttl(Duration::from_millis(600)).await;
    bench.submit(manifest("hello", 1)).await;
    let silent = bench.worker("silent", 1).await;
    let lost = silent.acquire_one().await;
    let other = bench.worker("other", 1).await;
    let moved = other.acquire_one().await;
    assert_eq!((moved.job, moved.attempt.0), (lost.job, 2));

    let revoked = silent.renew(&lost, &[]).await.revoked;
    assert_eq!(revoked[0].lease, lost.lease);
    assert!(
        revoked[0].reason.contains("did not renew its lease in time"),
        "{}",
        revoked[0].reason
    );
    let error = silent.complete(&lost).await.unwrap_err();
    let ClientError::Refused(refusal) = error else {
        panic!("{error}")
    };
    assert_eq!(refusal.kind, RefusalKind::StaleLease);
}

#[tokio::test]
async fn a_cancelled_sweep_takes_its_jobs_back() {
    let bench = Bench::new().await;
    let sweep = bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 1).await;
    let grant = worker.acquire_one().await;
    let status = bench.users().cancel(&sweep).await.unwrap();
    assert_eq!(status.state, SweepState::Cancelled);
    let revoked = worker.renew(&grant, &[]).await.revoked;
    assert!(
        revoked[0].reason.contains("the sweep was cancelled"),
        "{}",
        revoked[0].reason
    );
    assert_eq!(bench.wait_for(&sweep).await.state, SweepState::Cancelled);

    bench.users().retry(&sweep, None).await.unwrap();
    assert_eq!(worker.work().await, 3);
    assert_eq!(bench.wait_for(&sweep).await.state, SweepState::Succeeded);
}

#[tokio::test]
async fn completing_twice_is_harmless() {
    let bench = Bench::new().await;
    let sweep = bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 1).await;
    let grant = worker.acquire_one().await;
    let (one, other) = tokio::join!(worker.complete(&grant), worker.complete(&grant));
    one.unwrap();
    other.unwrap();
    worker.complete(&grant).await.unwrap();
    let jobs = bench.users().describe_sweep(&sweep).await.unwrap().jobs;
    assert_eq!(
        jobs.iter().filter(|job| job.state == JobState::Succeeded).count(),
        1
    );
}
