//! A worker against a coordinator over gRPC and a bucket in a folder; the engine follows a script.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use vico::digest::Digest;
use vico::ids::LeaseId;
use vico::job::{FailureClass, Stage, output_names};
use vico_worker::Config;
use vico_worker::engine::Ended;

use crate::support::bench::{Bench, Running, TTL};
use crate::support::engine::{ScriptedEngine, adapter, paced};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_done_and_its_output_lies_in_the_bucket() {
    let bench = Bench::new().await;
    let engine = paced(1);
    let worker = bench.start("w1", &engine.maker());
    let job = bench.train_job(5, 2).await;
    bench.coordinator.grant(job, Stage::Train);
    let heard = bench
        .coordinator
        .wait_until(|heard| heard.outputs(job).is_some())
        .await;
    let blob = &heard.outputs(job).unwrap()[output_names::ADAPTER];
    assert_eq!(bench.store.blob(blob).await.unwrap(), adapter(5));
    assert_eq!(engine.seen().models, [b"weights"]);
    assert!(
        heard.log(job).contains(&"train step 5".to_owned()),
        "{:?}",
        heard.log(job)
    );
    worker.stop().await;
    assert_eq!(
        bench.store.checkpoints(job).await.unwrap(),
        [],
        "checkpoints outlive the job"
    );
    assert!(bench.coordinator.heard().left);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_at_hand_is_told_with_the_next_request() {
    let bench = Bench::new().await;
    let worker = bench.start("w1", &paced(0).maker());
    let job = bench.train_job(1, 0).await;
    bench.coordinator.grant(job, Stage::Train);
    let heard = bench
        .coordinator
        .wait_until(|heard| heard.at_hand.len() > 1)
        .await;
    assert_eq!(heard.at_hand[0], []);
    let at_hand = &heard.at_hand[1];
    assert_eq!(at_hand[0], Digest::of(b"loaded model"));
    assert!(at_hand.contains(&job.0), "{at_hand:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_stops_the_engine_and_nothing_is_said_any_more() {
    let bench = Bench::new().await;
    let engine = paced(5);
    let worker = bench.start("w1", &engine.maker());
    let job = bench.train_job(100_000, 0).await;
    let lease = bench.coordinator.grant(job, Stage::Train);
    bench
        .coordinator
        .wait_until(|heard| heard.reports.iter().any(|report| report.progress.done > 0))
        .await;
    bench.coordinator.revoke(lease, "cancelled");
    let next = bench.train_job(1, 0).await;
    bench.coordinator.grant(next, Stage::Train);
    let heard = bench
        .coordinator
        .wait_until(|heard| heard.outputs(next).is_some())
        .await;
    assert_eq!(engine.seen().ended, [Ended::Stopped, Ended::Finished]);
    assert!(heard.outputs(job).is_none() && heard.failure(job).is_none() && heard.released.is_empty());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaving_worker_saves_its_training_and_another_continues_it() {
    let bench = Bench::new().await;
    let (first, second) = (paced(5), paced(0));
    let worker = bench.start("w1", &first.maker());
    let job = bench.train_job(1000, 0).await;
    let lease = bench.coordinator.grant(job, Stage::Train);
    bench
        .coordinator
        .wait_until(|heard| heard.reports.iter().any(|report| report.progress.done > 2))
        .await;
    worker.stop().await;
    let heard = bench.coordinator.heard();
    assert!(heard.left && heard.failures.is_empty());
    assert_eq!(heard.released, [lease], "given back once");
    let saved = *first.seen().steps.last().unwrap();
    let checkpoints = bench.store.checkpoints(job).await.unwrap();
    assert_eq!(
        (checkpoints.len(), checkpoints[0].step, checkpoints[0].lease),
        (1, saved, lease)
    );

    let worker = bench.start("w2", &second.maker());
    bench.coordinator.grant(job, Stage::Train);
    bench
        .coordinator
        .wait_until(|heard| heard.outputs(job).is_some())
        .await;
    assert_eq!(second.seen().steps, (saved + 1..=1000).collect::<Vec<_>>());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_come_at_their_interval_and_only_the_latest_are_kept() {
    let bench = Bench::new().await;
    let engine = paced(5);
    let worker = bench.start("w1", &engine.maker());
    let job = bench.train_job(100_000, 10).await;
    bench.coordinator.grant(job, Stage::Train);
    bench
        .coordinator
        .wait_until(|heard| heard.reports.iter().any(|report| report.progress.done > 60))
        .await;
    let steps: Vec<u64> = bench
        .store
        .checkpoints(job)
        .await
        .unwrap()
        .iter()
        .map(|c| c.step)
        .collect();
    assert!(
        (1..=3).contains(&steps.len()) && steps.iter().all(|step| step % 10 == 0),
        "{steps:?}"
    );
    worker.stop().await;
}

/// The furthest checkpoints are of no use, and would be in the way of those that are.
#[tokio::test(flavor = "multi_thread")]
async fn a_training_that_starts_over_keeps_its_own_checkpoints() {
    let bench = Bench::new().await;
    let engine = paced(5);
    let worker = bench.start("w1", &engine.maker());
    let job = bench.train_job(100_000, 10).await;
    for step in [60_000, 70_000] {
        let state = b"of another version".as_slice().into();
        let left_behind = bench.store.put_checkpoint(job, step, LeaseId(0), state);
        left_behind.await.unwrap();
    }
    let lease = bench.coordinator.grant(job, Stage::Train);
    bench
        .coordinator
        .wait_until(|heard| {
            let log = heard.log(job);
            let stored = log.iter().filter(|line| line.starts_with("checkpoint stored"));
            stored.count() > 1
        })
        .await;
    assert_eq!(engine.seen().steps[0], 1);
    let left = bench.store.checkpoints(job).await.unwrap();
    assert!(
        !left.is_empty() && left.iter().all(|checkpoint| checkpoint.lease == lease),
        "{left:?}"
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_coordinator_can_ask_a_worker_to_leave() {
    let bench = Bench::new().await;
    let worker = bench.start("w1", &paced(5).maker());
    let job = bench.train_job(100_000, 0).await;
    let lease = bench.coordinator.grant(job, Stage::Train);
    bench
        .coordinator
        .wait_until(|heard| heard.reports.iter().any(|report| report.progress.done > 0))
        .await;
    bench.coordinator.ask_to_leave();
    worker.ended().await;
    let heard = bench.coordinator.heard();
    assert_eq!((heard.released, heard.left), (vec![lease], true));
}

/// The coordinator answers nobody until the engine is done.
async fn silent_until_computed(bench: &Bench, engine: &ScriptedEngine) {
    bench.coordinator.set_silent(true);
    while engine.seen().ended.is_empty() {
        tokio::time::sleep(TTL).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_does_not_answer_costs_no_work() {
    let bench = Bench::new().await;
    let engine = paced(2);
    let worker = bench.start("w1", &engine.maker());
    let job = bench.train_job(200, 0).await;
    let lease = bench.coordinator.grant(job, Stage::Train);
    bench
        .coordinator
        .wait_until(|heard| !heard.reports.is_empty())
        .await;
    silent_until_computed(&bench, &engine).await;
    bench.coordinator.set_silent(false);
    let heard = bench
        .coordinator
        .wait_until(|heard| heard.outputs(job).is_some())
        .await;
    assert_eq!(
        engine.seen().steps,
        (1..=200).collect::<Vec<_>>(),
        "nothing was done twice"
    );
    let [before, after] = heard.introductions.as_slice() else {
        panic!(
            "one introduction before and one after: {:#?}",
            heard.introductions
        );
    };
    assert_eq!(before.session, after.session);
    assert_eq!(
        after.held.iter().map(|held| held.lease).collect::<Vec<_>>(),
        [lease]
    );
    let log = heard.log(job);
    assert!(
        log.iter().filter(|line| *line == "train step 150").count() == 1,
        "{log:?}"
    );
    worker.stop().await;
}

/// A registration is answered only when the journal can be written; renewals must not wait for that.
#[tokio::test(flavor = "multi_thread")]
async fn renewals_do_not_wait_for_a_registration() {
    let bench = Bench::new().await;
    let engine = paced(2);
    let worker = bench.start("w1", &engine.maker());
    let job = bench.train_job(100, 0).await;
    bench.coordinator.grant(job, Stage::Train);
    bench
        .coordinator
        .wait_until(|heard| !heard.reports.is_empty())
        .await;
    silent_until_computed(&bench, &engine).await;
    // The line has broken: what comes next registers again, and waits.
    bench.coordinator.hold_registrations(true);
    bench.coordinator.set_silent(false);
    bench.coordinator.wait_for_a_held_registration().await;
    let before = bench.coordinator.heard().reports.len();
    bench
        .coordinator
        .wait_until(|heard| heard.reports.len() > before + 3)
        .await;
    assert!(bench.coordinator.heard().outputs(job).is_none());
    bench.coordinator.hold_registrations(false);
    bench
        .coordinator
        .wait_until(|heard| heard.outputs(job).is_some())
        .await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_the_bucket_are_on_the_metrics_page() {
    let bench = Bench::new().await;
    let (worker, page) = done_with_metrics(&bench).await;
    let counts = page
        .lines()
        .filter(|line| line.starts_with("vico_worker_store_request_seconds_count"));
    let made: f64 = counts
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert!(made > 0.0, "{page}");
    worker.stop().await;
}

/// Once for what it continues from, and once for what is left when it is done.
#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_listed_when_a_training_begins_and_when_it_is_done() {
    let bench = Bench::new().await;
    let (worker, page) = done_with_metrics(&bench).await;
    let lists = "vico_worker_store_request_seconds_count{request=\"list\"} 2";
    assert!(page.lines().any(|line| line == lists), "{page}");
    worker.stop().await;
}

/// A worker that has done a training, and its metrics after that.
async fn done_with_metrics(bench: &Bench) -> (Running, String) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let config = Config {
        http: Some(address),
        ..bench.config("w1")
    };
    let worker = Bench::start_as(config, &paced(0).maker());
    let job = bench.train_job(1, 0).await;
    bench.coordinator.grant(job, Stage::Train);
    // It asks for more work once its only slot is free again.
    bench
        .coordinator
        .wait_until(|heard| {
            let at_hand = heard.at_hand.last();
            at_hand.is_some_and(|at_hand| at_hand.contains(&job.0))
        })
        .await;
    let mut line = TcpStream::connect(address).await.unwrap();
    let ask = b"GET /metrics HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n";
    line.write_all(ask).await.unwrap();
    let mut page = String::new();
    line.read_to_string(&mut page).await.unwrap();
    (worker, page)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_the_coordinator_good_leases_go_on_and_others_stop() {
    let bench = Bench::new().await;
    let engine = paced(5);
    let worker = bench.start("w1", &engine.maker());
    let job = bench.train_job(100_000, 0).await;
    let lease = bench.coordinator.grant(job, Stage::Train);
    bench
        .coordinator
        .wait_until(|heard| !heard.reports.is_empty())
        .await;

    bench.coordinator.forget_session();
    let heard = bench
        .coordinator
        .wait_until(|heard| heard.introductions.len() == 2)
        .await;
    assert_eq!(heard.introductions[1].held[0].lease, lease);
    let done = engine.seen().steps.len();
    bench
        .coordinator
        .wait_until(|_| engine.seen().steps.len() > done)
        .await;

    bench
        .coordinator
        .revoke(lease, "expired while the coordinator was away");
    bench.coordinator.forget_session();
    bench
        .coordinator
        .wait_until(|_| engine.seen().ended == [Ended::Stopped])
        .await;
    worker.stop().await;
    assert!(
        bench.coordinator.heard().released.is_empty(),
        "a lost lease is not ours to give back"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_fetched_is_named_in_its_class() {
    let bench = Bench::new().await;
    let worker = bench.start("w1", &paced(0).maker());
    let job = bench.train_job(3, 0).await;
    std::fs::write(bench.dir.path().join("model/weights"), b"retrained").unwrap();
    bench.coordinator.grant(job, Stage::Train);
    let heard = bench
        .coordinator
        .wait_until(|heard| heard.failure(job).is_some())
        .await;
    let failure = heard.failure(job).unwrap();
    // On another machine it may be the right one, and a worker that fails like this again and again gets no more work.
    assert_eq!(failure.class, FailureClass::Storage);
    assert!(
        failure
            .message
            .ends_with("weights on this machine is not the one that the sweep was planned with"),
        "{}",
        failure.message
    );

    let unknown = vico::ids::JobKey(Digest::of(b"no such job"));
    bench.coordinator.grant(unknown, Stage::Train);
    let heard = bench
        .coordinator
        .wait_until(|heard| heard.failure(unknown).is_some())
        .await;
    assert_eq!(heard.failure(unknown).unwrap().class, FailureClass::Storage);
    worker.stop().await;
}
