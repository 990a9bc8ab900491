//! Long polls: prompt, batched, and never a black hole.

use std::time::{Duration, Instant};

use crate::bench::{Bench, manifest};

#[tokio::test]
async fn a_waiting_worker_is_woken_by_new_work() {
    let bench = Bench::new().await;
    let worker = bench.worker("w1", 1).await;
    let poll = tokio::spawn(async move { worker.acquire(Duration::from_secs(30)).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    bench.submit(manifest("hello", 1)).await;
    let begun = Instant::now();
    assert_eq!(poll.await.unwrap().len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_idle_poll_ends_empty_when_its_time_is_over() {
    let bench = Bench::new().await;
    let worker = bench.worker("w1", 1).await;
    let begun = Instant::now();
    assert!(worker.acquire(Duration::from_millis(300)).await.is_empty());
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_poll_that_was_abandoned_swallows_nothing() {
    let bench = Bench::new().await;
    let gone = bench.worker("gone", 1).await;
    let poll = tokio::spawn(async move { gone.acquire(Duration::from_secs(30)).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    poll.abort();
    tokio::time::sleep(Duration::from_millis(300)).await;
    bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 1).await;
    let grant = worker.acquire_one().await;
    assert!(grant.attempt.0 <= 2);
}

#[tokio::test]
async fn hundreds_of_jobs_are_handed_out_in_batches() {
    let bench = Bench::new().await;
    let sweep = bench.submit(manifest("many", 100)).await;
    let worker = bench.worker("w1", 32).await;
    let begun = Instant::now();
    assert_eq!(worker.work().await, 300);
    // Far from what it takes, so that a busy machine passes too.
    assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
    assert!(bench.wait_for(&sweep).await.state.has_ended());
}
