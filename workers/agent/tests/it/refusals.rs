//! A worker that the coordinator refuses: for good, or until somebody mends its token.

use vico::ids::JobKey;
use vico::job::Stage;
use vico::protocol::RefusalKind;
use vico_worker::engine::Ended;

use crate::support::bench::{Bench, Running};
use crate::support::engine::{ScriptedEngine, paced};

/// A worker in the middle of a long training.
async fn at_work(bench: &Bench, engine: &ScriptedEngine) -> (Running, JobKey) {
    let worker = bench.start("w1", &engine.maker());
    let job = bench.train_job(100_000, 0).await;
    bench.coordinator.grant(job, Stage::Train);
    bench
        .coordinator
        .wait_until(|heard| heard.reports.iter().any(|report| report.progress.done > 0))
        .await;
    (worker, job)
}

/// The engine has stopped, another worker can go on from where it was, and the coordinator was told nothing.
async fn assert_left_quietly(bench: &Bench, engine: &ScriptedEngine, job: JobKey) {
    assert_eq!(engine.seen().ended, [Ended::Stopped]);
    let saved = bench.store.checkpoints(job).await.unwrap();
    assert_eq!(
        saved.iter().map(|checkpoint| checkpoint.step).collect::<Vec<_>>(),
        [*engine.seen().steps.last().unwrap()]
    );
    let heard = bench.coordinator.heard();
    assert!(heard.failures.is_empty() && heard.released.is_empty() && !heard.left);
}

/// The coordinator was replaced by one of another version, which knows nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_may_not_register_again_saves_its_training_and_ends() {
    let bench = Bench::new().await;
    let engine = paced(5);
    let (worker, job) = at_work(&bench, &engine).await;
    bench.coordinator.turn_away(Some(RefusalKind::Invalid));
    bench.coordinator.forget_session();
    assert_eq!(
        worker.failed().await,
        "the coordinator refuses this worker: you may not work here; \
         start a worker of the coordinator's version in its place"
    );
    assert_left_quietly(&bench, &engine, job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_name_another_took_saves_its_training_and_ends() {
    let bench = Bench::new().await;
    let engine = paced(5);
    let (worker, job) = at_work(&bench, &engine).await;
    bench.coordinator.supersede();
    assert_eq!(
        worker.failed().await,
        "the coordinator refuses this worker: another has your name; \
         give every worker a name of its own (--name)"
    );
    assert_left_quietly(&bench, &engine, job).await;
}

/// Tokens are renewed, and the new one may come a little late.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_token_is_refused_goes_on_and_asks_again() {
    let bench = Bench::new().await;
    let engine = paced(5);
    let (worker, _job) = at_work(&bench, &engine).await;
    bench.coordinator.turn_away(Some(RefusalKind::Unauthenticated));
    bench.coordinator.forget_session();
    bench.coordinator.wait_until(|heard| heard.turned_away > 2).await;
    bench.coordinator.turn_away(None);
    let heard = bench
        .coordinator
        .wait_until(|heard| heard.introductions.len() == 2)
        .await;
    assert_eq!(heard.introductions[1].held.len(), 1);
    assert_eq!(engine.seen().ended, []);
    worker.stop().await;
    assert!(bench.coordinator.heard().left);
}
