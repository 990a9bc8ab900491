//! What scrapers and probes see of a coordinator, and that it agrees with the bucket.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use vico::job::FailureClass;
use vico::protocol::LeasesClient;
use vico::store::Store;
use vico_coord::Config;

use crate::bench::{Running, manifest};
use crate::fake_worker::FakeWorker;

/// Status line and body of a page.
async fn page(address: SocketAddr, path: &str) -> (String, String) {
    let mut line = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    line.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    line.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// Series and their values, without fractions: all that is compared are counts.
async fn series(address: SocketAddr) -> BTreeMap<String, u64> {
    let (status, body) = page(address, "/metrics").await;
    assert!(status.contains("200"), "{status}");
    let lines = body.lines().filter(|line| !line.starts_with('#'));
    let parsed = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse::<f64>().unwrap() as u64)
    });
    parsed.collect()
}

async fn with_pages(store: &Store) -> (Running, SocketAddr) {
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        http: Some(([127, 0, 0, 1], 0).into()),
        ..Config::default()
    };
    let coordinator = Running::with(&config, store.clone()).await;
    let http = coordinator.http().unwrap();
    (coordinator, http)
}

#[tokio::test]
async fn metrics_after_a_sweep_agree_with_its_receipts() {
    let store = Store::in_memory();
    let (coordinator, http) = with_pages(&store).await;
    assert_eq!(
        page(http, "/livez").await,
        ("HTTP/1.1 200 OK".to_owned(), "alive\n".to_owned())
    );
    assert_eq!(page(http, "/readyz").await.1, "ready\n");
    let users = coordinator.users();
    let sweep = users.submit(manifest("hello", 2)).await.unwrap().status.sweep;
    let before = series(http).await;
    assert_eq!(before["vico_jobs{stage=\"train\",state=\"ready\"}"], 2);
    assert_eq!(before["vico_jobs{stage=\"score\",state=\"blocked\"}"], 2);
    assert_eq!(before["vico_sweeps{state=\"running\"}"], 1);
    assert_eq!(before["vico_leases_granted_total"], 0);

    let leases = LeasesClient::new(coordinator.url()).unwrap();
    let worker = FakeWorker::new("w1", 1, leases, store.clone());
    worker.register(&[]).await.unwrap();
    let doomed = worker.acquire_one().await;
    assert_eq!(series(http).await["vico_leases"], 1);
    worker.fail(&doomed, FailureClass::OutOfMemory).await.unwrap();
    let mut done = 0;
    while done < 6 {
        for grant in worker.acquire(Duration::from_secs(5)).await {
            worker.complete(&grant).await.unwrap();
            done += 1;
        }
    }
    let mut watch = users.watch(&sweep).await.unwrap();
    while watch.next().await.unwrap().is_some() {}

    let after = series(http).await;
    let jobs = users.describe_sweep(&sweep).await.unwrap().jobs;
    let keys = jobs.iter().map(|job| job.job);
    let receipts = store.receipts(keys).await.unwrap();
    assert_eq!(receipts.len(), 6);
    for stage in ["train", "sample", "score"] {
        let receipts = jobs
            .iter()
            .filter(|job| job.stage.as_str() == stage && receipts.contains_key(&job.job))
            .count();
        let told = after[&format!("vico_jobs{{stage=\"{stage}\",state=\"succeeded\"}}")];
        assert_eq!(told, receipts as u64, "{stage}");
    }
    assert_eq!(after["vico_sweeps{state=\"succeeded\"}"], 1);
    assert_eq!(after["vico_leases_granted_total"], 7);
    assert_eq!(after["vico_attempts_failed_total{class=\"out_of_memory\"}"], 1);
    assert_eq!(after["vico_leases_expired_total"], 0);
    assert_eq!(after["vico_leases"], 0);
    assert_eq!(after["vico_workers{condition=\"ready\"}"], 1);
    assert!(after["vico_journal_commit_seconds_count"] >= 8);
    assert!(after["vico_journal_events_total"] >= 14);
    // A receipt of every job at least, and what they weigh.
    assert!(after["vico_store_request_seconds_count{request=\"put\"}"] >= 6);
    assert!(after["vico_store_bytes_total{direction=\"written\"}"] > 6 * 100);
}

#[tokio::test]
async fn a_restarted_coordinator_counts_the_same() {
    let store = Store::in_memory();
    let (coordinator, http) = with_pages(&store).await;
    let leases = LeasesClient::new(coordinator.url()).unwrap();
    let worker = FakeWorker::new("w1", 1, leases, store.clone());
    worker.register(&[]).await.unwrap();
    coordinator.users().submit(manifest("hello", 1)).await.unwrap();
    let grant = worker.acquire_one().await;
    worker.complete(&grant).await.unwrap();
    let of_jobs = |series: BTreeMap<String, u64>| {
        let jobs = series
            .into_iter()
            .filter(|(name, _)| name.starts_with("vico_jobs{") || name.contains("granted"));
        jobs.collect::<Vec<_>>()
    };
    let before = of_jobs(series(http).await);
    coordinator.kill().await;
    let (_coordinator, http) = with_pages(&store).await;
    assert_eq!(of_jobs(series(http).await), before);
    assert!(before.iter().any(|(_, count)| *count > 0));
}
