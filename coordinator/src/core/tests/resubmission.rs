//! A manifest that is submitted again, or under another name, and says otherwise how its jobs run.

use vico::job::{Device, FailureClass, JobState};

use super::world::{World, introduction, key, needing, sweep, sweep_id};
use crate::core::{Command, Event, NewSweep};

const GIB: u64 = 1 << 30;

/// Every job needs a GPU with so much memory.
fn large(name: &str, gib: u64) -> NewSweep {
    needing(sweep(name, &["cat"]), Device::Gpu, gib * GIB)
}

fn tried(attempts: u32) -> NewSweep {
    let mut planned = sweep("s", &["cat"]);
    planned.retry.attempts = attempts;
    planned
}

/// A sweep that needs more than its one worker has.
fn waiting_world() -> World {
    let mut world = World::new();
    world.submit(large("s", 80));
    world.join(&introduction("w1", 1, 40 * GIB));
    assert!(world.acquire("w1", 1).is_empty());
    world
}

/// The one job that the worker gets after the longest back-off fails; answers with where it stands then.
fn fail_next(world: &mut World, worker: &str) -> JobState {
    world.wait(60);
    let granted = world.acquire_one(worker);
    world.fail(&granted, FailureClass::Storage);
    world.state_of(granted.job)
}

#[test]
fn a_job_that_waits_for_more_than_there_is_runs_once_it_needs_less() {
    for name in ["s", "renamed"] {
        let mut world = waiting_world();
        world.submit(large(name, 40));
        world.restart();
        world.join(&introduction("w1", 1, 40 * GIB));
        for stage in ["train", "sample"] {
            let granted = world.acquire_one("w1");
            assert_eq!(granted.job, key(&format!("cat/{stage}")), "{name}");
            world.complete(&granted);
        }
    }
}

#[test]
fn of_sweeps_that_share_a_job_the_one_submitted_last_says_what_it_needs() {
    let mut world = waiting_world();
    world.submit(large("other", 40));
    world.submit(large("s", 80));
    assert!(world.acquire("w1", 1).is_empty());
    world.submit(large("other", 40));
    assert_eq!(world.acquire("w1", 1).len(), 1);
}

#[test]
fn an_attempt_goes_on_where_it_is_and_the_next_goes_by_the_new_needs() {
    let mut world = World::new();
    world.submit(sweep("s", &["cat"]));
    world.cpu("cpu", 1);
    world.join(&introduction("gpu", 1, 40 * GIB));
    let granted = world.acquire_one("cpu");
    world.submit(large("s", 40));
    world.wait(20);
    world.renew(&granted, 1, 2);
    world.run(&Command::Tick);
    assert_eq!(world.state_of(granted.job), JobState::Leased);
    world.fail(&granted, FailureClass::Storage);
    world.wait(60);
    assert!(world.acquire("cpu", 1).is_empty());
    assert_eq!(world.acquire_one("gpu").job, granted.job);
}

#[test]
fn what_is_done_needs_nothing_and_what_is_the_same_is_not_told() {
    let mut world = World::new();
    world.submit(sweep("s", &["cat"]));
    world.cpu("w1", 1);
    let granted = world.acquire_one("w1");
    world.complete(&granted);
    let again = Command::AddSweep(large("s", 40));
    let events = world.run(&again);
    let [Event::JobsReprofiled { profiles, jobs, .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((profiles.len(), jobs.len()), (2, 2), "sample and score");
    assert_eq!(world.run(&again), []);
}

#[test]
fn more_attempts_count_from_the_next_failure_on() {
    let mut world = World::new();
    world.submit(tried(2));
    world.cpu("w1", 1);
    assert_eq!(fail_next(&mut world, "w1"), JobState::Ready);
    let events = world.run(&Command::AddSweep(tried(3)));
    assert!(
        matches!(events.as_slice(), [Event::RetryPolicyChanged { .. }]),
        "{events:?}"
    );
    world.restart();
    world.cpu("w1", 1);
    assert_eq!(fail_next(&mut world, "w1"), JobState::Ready);
    assert_eq!(fail_next(&mut world, "w1"), JobState::Failed);
}

#[test]
fn fewer_attempts_leave_a_job_the_one_that_it_waits_for() {
    let mut world = World::new();
    world.submit(tried(4));
    world.cpu("w1", 1);
    for _ in 0..2 {
        assert_eq!(fail_next(&mut world, "w1"), JobState::Ready);
    }
    world.submit(tried(1));
    assert_eq!(world.state_of(key("cat/train")), JobState::Ready);
    assert_eq!(fail_next(&mut world, "w1"), JobState::Failed);
}

#[test]
fn what_was_given_up_stays_so_until_a_retry_which_goes_by_what_was_said_last() {
    let mut world = World::new();
    world.submit(tried(1));
    world.cpu("cpu", 1);
    world.join(&introduction("gpu", 1, 40 * GIB));
    assert_eq!(fail_next(&mut world, "cpu"), JobState::Failed);
    world.submit(needing(tried(2), Device::Gpu, 40 * GIB));
    assert_eq!(world.state_of(key("cat/train")), JobState::Failed);
    world.run(&Command::Retry {
        sweep: sweep_id("s"),
        class: None,
    });
    assert!(world.acquire("cpu", 1).is_empty());
    assert_eq!(fail_next(&mut world, "gpu"), JobState::Ready);
}
