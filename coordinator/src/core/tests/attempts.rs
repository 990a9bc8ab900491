//! Attempts, leases, failures and retries of one sweep.

use vico::clock::Timestamp;
use vico::ids::{Attempt, LeaseId};
use vico::job::{FailureClass, JobState};
use vico::status::SweepState;

use super::world::{World, holding, introduction, key, sweep, sweep_id};
use crate::core::{Command, Refusal, State};

fn one_worker(concepts: &[&str]) -> World {
    let mut world = World::new();
    world.submit(sweep("s", concepts));
    world.cpu("w1", 1);
    world
}

#[test]
fn a_chain_runs_in_the_order_of_its_stages() {
    let mut world = one_worker(&["cat"]);
    for stage in ["train", "sample", "score"] {
        let granted = world.acquire_one("w1");
        assert_eq!(granted.job, key(&format!("cat/{stage}")));
        world.complete(&granted);
    }
    assert!(world.acquire("w1", 1).is_empty());
    let status = world.brain.sweep_status(&sweep_id("s"), world.now).unwrap();
    assert_eq!(status.state, SweepState::Succeeded);
    assert_eq!(status.finished, Some(world.now));
}

#[test]
fn a_worker_gets_no_more_than_its_slots() {
    let mut world = World::new();
    world.submit(sweep("s", &["a", "b", "c"]));
    world.cpu("w1", 2);
    assert_eq!(world.acquire("w1", 10).len(), 2);
    assert!(world.acquire("w1", 10).is_empty());
}

#[test]
fn a_lease_that_is_not_renewed_is_lost_and_its_number_is_dead() {
    let mut world = one_worker(&["cat"]);
    let first = world.acquire_one("w1");
    world.wait(20);
    world.renew(&first, 1, 10);
    world.wait(29);
    assert!(world.run(&Command::Tick).is_empty(), "it was renewed 29 s ago");
    world.wait(1);
    world.run(&Command::Tick);
    let second = world.acquire_one("w1");
    assert_eq!((second.job, second.attempt), (first.job, Attempt(2)));
    assert!(second.lease > first.lease);

    let error = world.try_fail(&first, FailureClass::Storage).unwrap_err();
    let Refusal::StaleLease { reason, .. } = error else {
        panic!("{error}")
    };
    assert!(
        reason.ends_with("worker_lost: worker w1 did not renew its lease in time"),
        "{reason}"
    );
    assert_eq!(world.state_of(second.job), JobState::Leased);
}

#[test]
fn failures_back_off_and_then_end() {
    let mut world = one_worker(&["cat"]);
    for attempt in 1..=3 {
        let granted = world.acquire_one("w1");
        assert_eq!(granted.attempt, Attempt(attempt));
        world.fail(&granted, FailureClass::Storage);
        if attempt < 3 {
            assert!(
                world.acquire("w1", 1).is_empty(),
                "no back-off after attempt {attempt}"
            );
        }
        world.wait(60);
    }
    assert_eq!(world.state_of(key("cat/train")), JobState::Failed);
    assert_eq!(world.state_of(key("cat/sample")), JobState::Aborted);
    assert_eq!(world.state_of(key("cat/score")), JobState::Aborted);
    let status = world.brain.sweep_status(&sweep_id("s"), world.now).unwrap();
    assert_eq!(status.state, SweepState::Failed);
    assert!(
        status
            .notices
            .last()
            .unwrap()
            .contains("attempt 3 on w1 failed, given up: storage: it broke")
    );
}

/// It was set back, or is that of a successor on another machine.
#[test]
fn a_clock_behind_the_journal_holds_up_back_offs_and_nothing_else() {
    let successions: [fn(&mut World); 3] = [
        |_| {},
        |world| {
            world.restart();
            world.cpu("w1", 1);
        },
        |world| world.brain.state = State::from(world.brain.state.snapshot()),
    ];
    for succeed in successions {
        let mut world = World::new();
        world.wait(3600);
        world.submit(sweep("s", &["cat", "dog"]));
        world.cpu("w1", 1);
        let cat = world.acquire_one("w1");
        world.fail(&cat, FailureClass::Storage);
        world.now = Timestamp(1_000_000);
        succeed(&mut world);
        assert_eq!(world.reason(key("dog/train")), "waits for a free slot");
        let dog = world.acquire_one("w1");
        world.fail(&dog, FailureClass::Storage);
        assert!(world.acquire("w1", 1).is_empty(), "it backs off, since now");
        assert!(world.reason(dog.job).starts_with("backs off until "));
        world.wait(11);
        for job in ["dog/train", "dog/sample", "dog/score"].map(key) {
            let granted = world.acquire_one("w1");
            assert_eq!(granted.job, job);
            world.complete(&granted);
        }
        assert!(world.acquire("w1", 1).is_empty(), "it backs off");
        assert!(world.reason(cat.job).starts_with("backs off until "));
        world.wait(3610);
        assert_eq!(world.acquire_one("w1").job, cat.job);
    }
}

#[test]
fn what_cannot_work_is_not_tried_again() {
    for class in [FailureClass::NanLoss, FailureClass::InvalidInput] {
        let mut world = one_worker(&["cat"]);
        let granted = world.acquire_one("w1");
        world.fail(&granted, class);
        assert_eq!(world.state_of(granted.job), JobState::Failed, "{class}");
    }
}

#[test]
fn out_of_memory_is_remembered_for_the_next_attempt() {
    let mut world = one_worker(&["cat"]);
    for halvings in 0..2 {
        let granted = world.acquire_one("w1");
        assert_eq!(
            world.brain.state.job(granted.job).unwrap().memory_halvings(),
            halvings
        );
        world.fail(&granted, FailureClass::OutOfMemory);
        world.wait(60);
    }
}

#[test]
fn a_failed_job_goes_elsewhere_if_there_is_an_elsewhere() {
    for class in [FailureClass::Internal, FailureClass::Storage] {
        let mut world = one_worker(&["cat"]);
        world.cpu("w2", 1);
        let granted = world.acquire_one("w1");
        world.fail(&granted, class);
        world.wait(25);
        assert!(world.acquire("w1", 1).is_empty(), "w2 should have it: {class}");
        // w2 falls silent, so there is no elsewhere.
        world.wait(25);
        assert_eq!(world.acquire_one("w1").attempt, Attempt(2), "{class}");
    }
}

#[test]
fn a_lease_given_back_costs_nothing() {
    let mut world = one_worker(&["cat"]);
    for attempt in 1..=5 {
        let granted = world.acquire_one("w1");
        assert_eq!(granted.attempt, Attempt(attempt));
        let (worker, leases) = (granted.worker, vec![granted.lease]);
        world.run(&Command::Release { worker, leases });
    }
    let job = world.brain.state.job(key("cat/train")).unwrap();
    assert_eq!((job.failures(), job.phase.state()), (0, JobState::Ready));
}

#[test]
fn only_the_holder_may_speak_of_a_lease() {
    let mut world = one_worker(&["cat"]);
    world.cpu("w2", 1);
    let mut granted = world.acquire_one("w1");
    granted.worker = super::world::id("w2");
    let error = world.try_fail(&granted, FailureClass::Storage).unwrap_err();
    assert!(error.to_string().ends_with("it belongs to worker w1"), "{error}");
    granted.lease = LeaseId(77);
    let error = world.try_fail(&granted, FailureClass::Storage).unwrap_err();
    assert!(
        error.to_string().ends_with("this coordinator never granted it"),
        "{error}"
    );
}

#[test]
fn the_first_receipt_wins_over_a_later_lease() {
    let mut world = one_worker(&["cat"]);
    let first = world.acquire_one("w1");
    world.wait(30);
    world.run(&Command::Tick);
    let second = world.acquire_one("w1");
    world.complete(&first);
    assert_eq!(world.state_of(first.job), JobState::Succeeded);
    let error = world.try_fail(&second, FailureClass::Internal).unwrap_err();
    assert!(
        error.to_string().contains("another attempt finished first"),
        "{error}"
    );
    // Once more is harmless.
    world.complete(&first);
}

#[test]
fn retry_gives_failed_jobs_a_fresh_budget() {
    let mut world = one_worker(&["cat", "dog"]);
    let cat = world.acquire_one("w1");
    world.fail(&cat, FailureClass::NanLoss);
    let dog = world.acquire_one("w1");
    world.fail(&dog, FailureClass::InvalidInput);

    let retry = |class| Command::Retry {
        sweep: sweep_id("s"),
        class,
    };
    let refused = world.try_do(&retry(Some(FailureClass::Timeout)));
    assert_eq!(refused, Err(Refusal::NothingToRetry(sweep_id("s"))));
    world.run(&retry(Some(FailureClass::NanLoss)));
    assert_eq!(world.state_of(cat.job), JobState::Ready);
    assert_eq!(world.state_of(dog.job), JobState::Failed);
    let sample = world.reader_of(cat.job);
    assert_eq!(world.state_of(sample), JobState::Blocked);
    assert_eq!(world.acquire_one("w1").attempt, Attempt(2));
    world.run(&retry(None));
    assert_eq!(world.state_of(dog.job), JobState::Ready);
}

#[test]
fn after_a_restart_a_worker_keeps_what_it_holds() {
    let mut world = one_worker(&["cat", "dog"]);
    let kept = world.acquire_one("w1");
    world.cpu("w2", 1);
    let lost = world.acquire_one("w2");
    world.restart();
    world.join(&holding(introduction("w1", 1, 0), &[&kept]));
    for _ in 0..2 {
        world.wait(20);
        world.renew(&kept, 1, 2);
        world.run(&Command::Tick);
    }
    assert_eq!(world.state_of(kept.job), JobState::Leased);
    assert_eq!(world.state_of(lost.job), JobState::Ready, "w2 never came back");
    world.complete(&kept);
    let next = world.acquire_one("w1");
    assert!(next.lease > lost.lease, "lease numbers grow across restarts");
}

#[test]
fn attempts_are_remembered_across_restarts() {
    let mut world = one_worker(&["cat"]);
    for _ in 0..3 {
        world.cpu("w1", 1);
        let granted = world.acquire_one("w1");
        world.fail(&granted, FailureClass::Storage);
        world.restart();
        world.wait(60);
    }
    assert_eq!(world.state_of(key("cat/train")), JobState::Failed);
}
