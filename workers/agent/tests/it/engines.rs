//! Engines that panic, hang, break or run out of memory, and what their worker makes of it.

use std::sync::Arc;
use std::time::Duration;

use vico::ids::JobKey;
use vico::job::{DeviceFacts, Failure, FailureClass, Stage};
use vico_worker::Config;
use vico_worker::device::{ComputeDevice, Gpu};
use vico_worker::engine::thread::MakeEngine;

use crate::support::bench::Bench;
use crate::support::engine::{Script, ScriptedEngine};

/// Grants a job and answers how it failed.
async fn failed(bench: &Bench, job: JobKey) -> Failure {
    let before = bench.coordinator.heard().failures.len();
    bench.coordinator.grant(job, Stage::Train);
    let heard = bench
        .coordinator
        .wait_until(|heard| heard.failures.len() > before)
        .await;
    heard.failures[before].failure.clone()
}

/// Grants a job and waits until it is done.
async fn done_after(bench: &Bench, job: JobKey, memory_halvings: u32) {
    bench.coordinator.grant_after(job, Stage::Train, memory_halvings);
    bench
        .coordinator
        .wait_until(|heard| heard.outputs(job).is_some())
        .await;
}

fn gpu() -> ComputeDevice {
    let facts = DeviceFacts {
        name: "NVIDIA H100".to_owned(),
        vram: 80 << 30,
        ..DeviceFacts::default()
    };
    let gpu = Gpu {
        number: 0,
        uuid: None,
    };
    ComputeDevice {
        gpu: Some(gpu),
        facts,
    }
}

fn broken(engines: usize) -> ScriptedEngine {
    ScriptedEngine::new(Script {
        broken: engines,
        ..Script::default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_a_failure_of_the_attempt_and_the_engine_is_made_anew() {
    let bench = Bench::new().await;
    let engine = ScriptedEngine::new(Script {
        panic_at: Some(3),
        ..Script::default()
    });
    let worker = bench.start("w1", &engine.maker());
    let job = bench.train_job(5, 0).await;
    let failure = failed(&bench, job).await;
    assert_eq!(failure.class, FailureClass::Internal);
    assert_eq!(failure.message, "the engine panicked: scripted panic");
    done_after(&bench, job, 0).await;
    assert_eq!(engine.seen().made, 2);
    worker.stop().await;
}

/// Renewals go on while an engine hangs, so that nobody else would notice.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_hangs_is_given_up_and_another_takes_its_place() {
    let bench = Bench::new().await;
    let engine = ScriptedEngine::new(Script {
        hang_at: Some(2),
        ..Script::default()
    });
    let config = Config {
        patience: Duration::from_millis(500),
        ..bench.config("w1")
    };
    let worker = Bench::start_as(config, &engine.maker());
    let job = bench.train_job(3, 0).await;
    assert_eq!(failed(&bench, job).await.class, FailureClass::Timeout);
    done_after(&bench, job, 0).await;
    assert_eq!(engine.seen().made, 2);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_done_does_not_hang_however_long_storing_takes() {
    let bench = Bench::new().await;
    let engine = ScriptedEngine::new(Script {
        storing: Duration::from_secs(1),
        ..Script::default()
    });
    let config = Config {
        patience: Duration::from_millis(300),
        ..bench.config("w1")
    };
    let worker = Bench::start_as(config, &engine.maker());
    let job = bench.train_job(2, 1).await;
    done_after(&bench, job, 0).await;
    assert!(bench.coordinator.heard().failures.is_empty());
    assert_eq!(engine.seen().made, 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_halvings_reach_the_engine() {
    let bench = Bench::new().await;
    let engine = ScriptedEngine::new(Script {
        out_of_memory_at: Some(2),
        ..Script::default()
    });
    let worker = bench.start("w1", &engine.maker());
    let job = bench.train_job(3, 0).await;
    assert_eq!(failed(&bench, job).await.class, FailureClass::OutOfMemory);
    done_after(&bench, job, 1).await;
    assert_eq!(engine.seen().memory_halvings, [0, 1]);
    assert_eq!(engine.seen().made, 1, "an engine does not break of that");
    worker.stop().await;
}

/// On a CPU no new process would do better, so the worker stays however many engines break.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_broke_is_made_anew_for_the_next_job() {
    let bench = Bench::new().await;
    let engine = broken(2);
    let worker = bench.start("w1", &engine.maker());
    for steps in [3, 4] {
        let job = bench.train_job(steps, 0).await;
        assert_eq!(failed(&bench, job).await.class, FailureClass::Internal);
    }
    let job = bench.train_job(5, 0).await;
    done_after(&bench, job, 0).await;
    assert_eq!(engine.seen().made, 3);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gpu_on_which_two_jobs_in_a_row_break_the_engine_ends_the_worker() {
    let bench = Bench::new().await;
    let engine = broken(usize::MAX);
    let worker = Bench::start_on(gpu(), bench.config("w1"), &engine.maker());
    let (first, second) = (bench.train_job(3, 0).await, bench.train_job(4, 0).await);
    for _ in 0..3 {
        // The job may be to blame.
        failed(&bench, first).await;
    }
    failed(&bench, second).await;
    let words = worker.failed().await;
    assert!(words.ends_with("start the worker anew"), "{words}");
    assert!(bench.coordinator.heard().left);
    assert_eq!(engine.seen().made, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gpu_that_cannot_be_opened_ends_the_worker_whatever_the_job() {
    let bench = Bench::new().await;
    let closed: MakeEngine = Arc::new(|| {
        let (class, message) = (FailureClass::Internal, "opening the GPU".to_owned());
        Err(Failure { class, message })
    });
    let worker = Bench::start_on(gpu(), bench.config("w1"), &closed);
    let job = bench.train_job(3, 0).await;
    for _ in 0..2 {
        assert_eq!(failed(&bench, job).await.message, "opening the GPU");
    }
    let words = worker.failed().await;
    assert!(words.ends_with("start the worker anew"), "{words}");
}
