//! What people read.

use std::time::Duration;

use proptest::prelude::*;
use vico::job::{Device, FailureClass};

use super::world::{World, introduction, key, needing, sweep, sweep_id};
use crate::core::Refusal;

const GIB: u64 = 1 << 30;

#[test]
fn a_waiting_job_says_why() {
    let mut world = World::new();
    world.submit(needing(sweep("s", &["cat"]), Device::Gpu, 40 * GIB));
    assert_eq!(world.reason(key("cat/train")), "no worker is connected");
    assert_eq!(world.reason(key("cat/sample")), "waits for cat/train (ready)");
    world.cpu("w1", 1);
    world.join(&introduction("w2", 1, 16 * GIB));
    assert_eq!(
        world.reason(key("cat/train")),
        "no connected worker fits: needs a gpu with 40 GiB of memory; there are w1 (cpu), w2 (H200, 16 GiB)"
    );
    world.join(&introduction("w3", 1, 80 * GIB));
    assert_eq!(world.reason(key("cat/train")), "waits for a free slot");
    let granted = world.acquire_one("w3");
    assert_eq!(world.reason(key("cat/train")), "");
    world.fail(&granted, FailureClass::Storage);
    let reason = world.reason(key("cat/train"));
    assert!(
        reason.starts_with("backs off until 1970-01-01T00:16:4"),
        "{reason}"
    );
    assert!(
        reason.ends_with("attempt 1 failed: storage: it broke"),
        "{reason}"
    );
}

#[test]
fn an_ended_job_says_how() {
    let mut world = World::new();
    world.submit(sweep("s", &["cat"]));
    world.cpu("w1", 1);
    let granted = world.acquire_one("w1");
    world.fail(&granted, FailureClass::InvalidInput);
    assert_eq!(
        world.reason(key("cat/train")),
        "invalid_input: it broke (after 1 failed attempt)"
    );
    assert_eq!(world.reason(key("cat/sample")), "cat/train failed");
    assert_eq!(
        world.reason(key("cat/score")),
        "cat/train failed",
        "the sample job never ran"
    );
}

#[test]
fn jobs_are_found_by_the_beginning_of_their_key() {
    let mut world = World::new();
    let names: Vec<String> = (0..2000).map(|n| format!("c{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let submitted = crate::core::Command::AddSweep(sweep("s", &names));
    for event in world.brain.decide(&submitted, world.now).unwrap() {
        world.brain.state.apply(&event);
    }
    let state = &world.brain.state;
    let found = |prefix: &str| state.find_job(prefix).map(|job| state.label(job));
    let whole = key("c7/train").to_string();
    assert_eq!(found(&whole), Ok("c7/train"));
    assert_eq!(found(&whole[..12].to_uppercase()), Ok("c7/train"));
    assert_eq!(found("abc"), Err(Refusal::ShortPrefix("abc".into())));
    assert_eq!(found("zzzz"), Err(Refusal::UnknownJob("zzzz".into())));
    // 6000 keys and 65536 prefixes: some prefix is shared.
    let ambiguous = |key: &vico::ids::JobKey| {
        matches!(
            state.find_job(&key.to_string()[..4]),
            Err(Refusal::AmbiguousJob { .. })
        )
    };
    assert!(state.jobs().any(|job| ambiguous(&job.key)));
}

#[test]
fn the_estimate_comes_from_what_was_measured() {
    let mut world = World::new();
    // So many that a worker goes on with what it has begun.
    let concepts = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    world.submit(sweep("s", &concepts));
    world.cpu("w1", 1);
    let eta = |world: &World| world.brain.eta(&sweep_id("s"), world.now);
    assert_eq!(eta(&world), None, "nothing was measured");
    for seconds in [400, 60, 20] {
        let granted = world.acquire_one("w1");
        world.wait(seconds);
        world.renew(&granted, 1, 1);
        world.complete(&granted);
        // The next stage of the same concept, not another training.
        let others = world.acquire("w1", 1);
        if seconds != 20 {
            assert_eq!(others.len(), 1);
            let leases = vec![others[0].lease];
            let worker = others[0].worker.clone();
            world.run(&crate::core::Command::Release { worker, leases });
            let reader = world.reader_of(granted.job);
            world.brain.floor.hint(&super::world::id("w1"), &[granted.job.0]);
            assert_eq!(world.state_of(reader), vico::job::JobState::Ready);
        }
    }
    // Eleven runs of 400 + 60 + 20 s are left for one slot, of which one attempt has just begun.
    assert_eq!(eta(&world), Some(Duration::from_mins(88)));
    world.wait(100);
    assert_eq!(eta(&world), Some(Duration::from_secs(11 * 480 - 100)));
}

/// Numbers as an honest worker has them, and any others.
fn counted() -> impl Strategy<Value = u64> {
    prop_oneof![0..20_u64, any::<u64>(), Just(u64::MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_progress_makes_an_absurd_estimate(done in counted(), of in counted()) {
        let mut world = World::new();
        world.submit(sweep("s", &["a", "b", "c"]));
        world.cpu("w1", 1);
        while let Some(granted) = world.acquire("w1", 1).pop() {
            world.wait(5);
            world.renew(&granted, done, of);
            let eta = world.brain.eta(&sweep_id("s"), world.now);
            let decade = Duration::from_hours(10 * 366 * 24);
            prop_assert!(eta.is_none_or(|eta| eta < decade), "{eta:?}");
            world.complete(&granted);
        }
    }
}

#[test]
fn progress_is_in_the_status() {
    let mut world = World::new();
    world.submit(sweep("s", &["a", "b"]));
    world.cpu("w1", 2);
    for (granted, done) in world.acquire("w1", 2).iter().zip([25, 50]) {
        world.renew(granted, done, 100);
    }
    let status = world.brain.sweep_status(&sweep_id("s"), world.now).unwrap();
    assert!((status.stages[0].in_flight - 0.75).abs() < 1e-9);
    assert_eq!(status.stages[0].leased, 2);
    assert_eq!(status.stages[1].blocked, 2);
}
