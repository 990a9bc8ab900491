//! The worker as a process that is told to stop in the middle of a training.

use std::process::{Child, Command};

use vico::ids::JobKey;
use vico::job::{BlobRef, Stage, output_names};

use crate::pipeline::{real_engine, train_job};
use crate::support::bench::Bench;

const STEPS: u32 = 30;

fn start(bench: &Bench) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vico-worker"));
    command.args([
        "--coordinator",
        &bench.coordinator.url,
        "--name",
        "first",
        "--cache",
    ]);
    command
        .arg(bench.dir.path().join("cache-first"))
        .env("RUST_LOG", "warn");
    command.spawn().unwrap()
}

fn terminate(worker: &Child) {
    let sent = Command::new("kill")
        .args(["-TERM", &worker.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Has the job done from wherever it is, in this process.
async fn finish(bench: &Bench, job: JobKey) -> BlobRef {
    let worker = bench.start("second", &real_engine());
    bench.coordinator.grant(job, Stage::Train);
    let heard = bench
        .coordinator
        .wait_until(|heard| heard.outputs(job).is_some())
        .await;
    worker.stop().await;
    heard.outputs(job).unwrap()[output_names::ADAPTER].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_ended_by_sigterm_is_continued_to_the_same_bytes() {
    let bench = Bench::new().await;
    let job = train_job(&bench, STEPS).await;
    let mut first = start(&bench);
    let lease = bench.coordinator.grant(job, Stage::Train);
    bench
        .coordinator
        .wait_until(|heard| heard.reports.iter().any(|report| report.progress.done > 1))
        .await;
    terminate(&first);
    let status = tokio::task::spawn_blocking(move || first.wait().unwrap())
        .await
        .unwrap();
    assert!(status.success(), "{status}");
    let heard = bench.coordinator.heard();
    assert_eq!(
        (heard.released.as_slice(), heard.left),
        ([lease].as_slice(), true)
    );
    let saved = bench.store.checkpoints(job).await.unwrap();
    assert!(saved.len() == 1 && saved[0].step < u64::from(STEPS), "{saved:?}");
    let continued = finish(&bench, job).await;

    let other = Bench::new().await;
    assert_eq!(
        train_job(&other, STEPS).await,
        job,
        "the job is the same job anywhere"
    );
    assert_eq!(continued, finish(&other, job).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_work_leaves_at_once() {
    let bench = Bench::new().await;
    let mut worker = start(&bench);
    bench
        .coordinator
        .wait_until(|heard| !heard.at_hand.is_empty())
        .await;
    terminate(&worker);
    let status = tokio::task::spawn_blocking(move || worker.wait().unwrap())
        .await
        .unwrap();
    assert!(status.success() && bench.coordinator.heard().left, "{status}");
}
