//! A sweep from its manifest to its leaderboard.

use std::time::Duration;

use vico::job::{JobState, Stage};
use vico::status::SweepState;

use crate::bench::{Bench, manifest};

#[tokio::test]
async fn a_sweep_runs_from_its_manifest_to_its_results() {
    let bench = Bench::new().await;
    let sweep = bench.submit(manifest("hello", 2)).await;
    assert_eq!(bench.status(&sweep).await.state, SweepState::Running);
    let worker = bench.worker("w1", 2).await;
    let (done, status) = tokio::join!(worker.work(), bench.wait_for(&sweep));
    assert_eq!(done, 6);
    assert_eq!(status.state, SweepState::Succeeded);
    let counts: Vec<_> = status
        .stages
        .iter()
        .map(|stage| (stage.stage, stage.succeeded))
        .collect();
    assert_eq!(counts, [(Stage::Train, 2), (Stage::Sample, 2), (Stage::Score, 2)]);

    let leaderboard = bench
        .store
        .result(&sweep, "leaderboard.json")
        .await
        .unwrap()
        .unwrap();
    let leaderboard: serde_json::Value = serde_json::from_slice(&leaderboard).unwrap();
    assert!(leaderboard.to_string().contains("dino_i"), "{leaderboard}");
    let csv = bench.store.result(&sweep, "samples.csv").await.unwrap().unwrap();
    assert_eq!(String::from_utf8(csv.to_vec()).unwrap().lines().count(), 1 + 4);
}

#[tokio::test]
async fn the_same_manifest_again_joins_and_another_reuses() {
    let bench = Bench::new().await;
    let first = bench.users().submit(manifest("hello", 1)).await.unwrap();
    assert!(!first.joined);
    let again = bench.users().submit(manifest("hello", 1)).await.unwrap();
    assert!(again.joined);
    assert_eq!(again.status.sweep, first.status.sweep);

    bench.worker("w1", 1).await.work().await;
    let more = bench.users().submit(manifest("more", 2)).await.unwrap();
    let reused: Vec<_> = more
        .status
        .stages
        .iter()
        .map(|stage| (stage.reused, stage.jobs()))
        .collect();
    assert_eq!(reused, [(1, 2), (1, 2), (1, 2)]);
    let newest = bench.users().list().await.unwrap();
    assert_eq!(
        newest.iter().map(|sweep| sweep.name.as_str()).collect::<Vec<_>>(),
        ["more", "hello"]
    );
}

#[tokio::test]
async fn a_plan_is_shown_before_anything_is_written() {
    let bench = Bench::new().await;
    let summary = bench.users().plan(manifest("hello", 3)).await.unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["runs"], 3);
    assert_eq!(summary["stages"][0]["jobs"], 3);
    assert!(bench.store.sweeps().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_job_can_be_looked_at_while_it_runs_and_afterwards() {
    let bench = Bench::new().await;
    let sweep = bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 1).await;
    let grant = worker.acquire_one().await;
    worker.renew(&grant, &["loss 0.5", "loss 0.4"]).await;
    let short = &grant.job.to_string()[..10];
    let running = bench.users().describe_job(short).await.unwrap();
    assert_eq!(running.status.state, JobState::Leased);
    assert_eq!(
        running
            .status
            .progress
            .map(|progress| (progress.done, progress.of)),
        Some((1, 4))
    );
    assert_eq!(running.status.worker, Some(worker.session.worker.clone()));
    assert_eq!(running.receipt_json, None);
    let status = bench.status(&sweep).await;
    assert!((status.stages[0].in_flight - 0.25).abs() < 1e-9);

    let mut following = bench.users().logs(short, true).await.unwrap();
    assert_eq!(following.next().await.unwrap().unwrap().text, "loss 0.5");
    worker.complete(&grant).await.unwrap();
    let mut rest = Vec::new();
    while let Some(line) = following.next().await.unwrap() {
        rest.push(line.text);
    }
    assert_eq!(rest, ["loss 0.4", "done"]);
    let done = bench.users().describe_job(short).await.unwrap();
    assert_eq!(done.attempts.len(), 1);
    assert!(done.receipt_json.unwrap().contains("adapter.safetensors"));
    let detail = bench.users().describe_sweep(&sweep).await.unwrap();
    assert!(
        detail
            .jobs
            .iter()
            .any(|job| job.job == grant.job && job.state == JobState::Succeeded)
    );
}

#[tokio::test]
async fn workers_are_listed_until_they_leave() {
    let bench = Bench::new().await;
    bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 3).await;
    let grant = worker.acquire_one().await;
    let listed = bench.users().workers().await.unwrap();
    assert_eq!(
        (listed[0].slots, listed[0].jobs.as_slice()),
        (3, &[grant.job][..])
    );
    worker.leave(&[&grant]).await;
    assert!(bench.users().workers().await.unwrap().is_empty());
    let other = bench.worker("w2", 1).await;
    assert_eq!(other.acquire_one().await.job, grant.job);
}

#[tokio::test]
async fn a_drained_worker_is_told_to_leave() {
    let bench = Bench::new().await;
    bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 1).await;
    let grant = worker.acquire_one().await;
    assert!(!worker.renew(&grant, &[]).await.drain);
    bench.users().drain(&worker.session.worker).await.unwrap();
    assert!(worker.renew(&grant, &[]).await.drain);
    let listed = bench.users().workers().await.unwrap();
    assert_eq!(listed[0].condition.as_deref(), Some("draining"));
}

#[tokio::test]
async fn a_cordoned_worker_keeps_its_job_and_gets_no_other() {
    let bench = Bench::new().await;
    bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 2).await;
    let grant = worker.acquire_one().await;
    let (users, name) = (bench.users(), &worker.session.worker);
    users.cordon(name).await.unwrap();
    bench.submit(manifest("more", 2)).await;
    let renewed = worker.renew(&grant, &[]).await;
    assert!(!renewed.drain && renewed.revoked.is_empty());
    assert!(worker.try_acquire(Duration::ZERO).await.unwrap().is_empty());
    let listed = users.workers().await.unwrap();
    assert_eq!(listed[0].condition.as_deref(), Some("cordoned"));
    users.uncordon(name).await.unwrap();
    worker.acquire_one().await;
}

#[tokio::test]
async fn it_says_that_it_is_healthy() {
    use tonic_health::pb::health_client::HealthClient;
    let bench = Bench::new().await;
    let endpoint = tonic::transport::Endpoint::from_shared(bench.url().to_owned()).unwrap();
    let mut client = HealthClient::new(endpoint.connect().await.unwrap());
    for service in ["", "vico.v1.Sweeps", "vico.v1.Leases"] {
        let service = service.to_owned();
        let request = tonic_health::pb::HealthCheckRequest { service };
        let reply = client.check(request).await.unwrap().into_inner();
        assert_eq!(
            reply.status(),
            tonic_health::pb::health_check_response::ServingStatus::Serving
        );
    }
}

#[tokio::test]
async fn a_stopped_coordinator_ends_every_request_in_time() {
    let bench = Bench::new().await;
    let sweep = bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 1).await;
    worker.acquire_one().await;
    let mut watch = bench.users().watch(&sweep).await.unwrap();
    watch.next().await.unwrap();
    let poll = tokio::spawn(async move { worker.try_acquire(std::time::Duration::from_secs(30)).await });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let begun = std::time::Instant::now();
    bench.coordinator.stop().await.unwrap();
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    assert!(poll.await.unwrap().unwrap_err().is_transient());
    assert!(watch.next().await.unwrap_err().is_transient());
}
