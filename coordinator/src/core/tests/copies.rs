//! Jobs that run late run twice.

use vico::ids::Attempt;
use vico::job::{FailureClass, JobState};

use super::world::{Granted, World, granted, id, sweep, sweep_id};
use crate::core::state::Ending;
use crate::core::{Ask, Command};

/// Three trainings took ten seconds each, a fourth had come to the first percentage then and to the second after another ten.
fn world_with_one_left([from, to]: [u64; 2]) -> (World, Granted) {
    let mut world = World::new();
    world.submit(sweep("s", &["a", "b", "c", "d"]));
    for (worker, slots) in [("w1", 2), ("w2", 3), ("w3", 1)] {
        world.cpu(worker, slots);
    }
    let last = world.acquire_one("w1");
    let quick = world.acquire("w2", 3);
    world.wait(10);
    for quick in &quick {
        world.complete(quick);
    }
    world.renew(&last, from, 100);
    world.wait(10);
    world.renew(&last, to, 100);
    (world, last)
}

/// Five percent in ten seconds.
const LATE: [u64; 2] = [5, 10];

fn copies(world: &mut World, worker: &str) -> Vec<Granted> {
    let (worker, max) = (id(worker), 1);
    let events = world.run(&Command::Copy(vec![Ask { worker, max }]));
    granted(&events)
}

#[track_caller]
fn copy(world: &mut World, worker: &str) -> Granted {
    let copies = copies(world, worker);
    assert_eq!(copies.len(), 1, "{copies:?}");
    copies[0].clone()
}

#[test]
fn the_first_receipt_of_two_attempts_wins() {
    let (mut world, last) = world_with_one_left(LATE);
    let second = copy(&mut world, "w2");
    assert_eq!((second.job, second.attempt), (last.job, Attempt(2)));
    world.restart();
    for worker in ["w1", "w2"] {
        assert_eq!(world.brain.state.leases_of(&id(worker)).count(), 1);
    }
    world.complete(&second);
    assert_eq!(world.state_of(last.job), JobState::Succeeded);
    assert_eq!(world.brain.state.leases().count(), 0);
    assert!(world.try_fail(&last, FailureClass::Storage).is_err());
    let sample = world.reader_of(last.job);
    assert_eq!(world.state_of(sample), JobState::Ready);
}

#[test]
fn the_late_attempt_may_win() {
    let (mut world, last) = world_with_one_left(LATE);
    let second = copy(&mut world, "w2");
    world.complete(&last);
    assert_eq!(world.state_of(second.job), JobState::Succeeded);
    let reason = world.brain.state.job(second.job).unwrap().why_stale(second.lease);
    assert!(reason.ends_with("another attempt finished first"), "{reason}");
}

#[test]
fn who_is_on_pace_runs_alone() {
    // Ten seconds for two fifths: ten are left, and a fresh attempt takes ten.
    let (mut world, _) = world_with_one_left([20, 60]);
    assert!(copies(&mut world, "w2").is_empty());
}

#[test]
fn what_was_done_before_the_attempt_is_not_its_pace() {
    // One percent in ten seconds, from a checkpoint at fifty.
    let (mut world, _) = world_with_one_left([50, 51]);
    copy(&mut world, "w2");
}

#[test]
fn a_second_attempt_that_was_given_back_is_not_the_last() {
    let (mut world, last) = world_with_one_left(LATE);
    let second = copy(&mut world, "w2");
    let (worker, leases) = (second.worker, vec![second.lease]);
    world.run(&Command::Release { worker, leases });
    assert_eq!(copy(&mut world, "w3").job, last.job);
}

/// More of them than attempts are remembered.
#[test]
fn second_attempts_that_were_given_back_do_not_make_the_late_one_forgotten() {
    let (mut world, last) = world_with_one_left(LATE);
    for _ in 0..70 {
        let second = copy(&mut world, "w2");
        let (worker, leases) = (second.worker, vec![second.lease]);
        world.run(&Command::Release { worker, leases });
    }
    world.restart();
    world.complete(&last);
    let job = world.brain.state.job(last.job).unwrap();
    let won = job.try_of(last.lease).and_then(|tried| tried.ended.as_ref());
    assert!(matches!(won, Some((_, Ending::Succeeded))), "{won:?}");
    assert_eq!(job.attempts(), 71);
}

#[test]
fn a_boastful_worker_gets_what_there_is() {
    let (mut world, _) = world_with_one_left(LATE);
    world.cpu("w4", u32::MAX);
    let (worker, max) = (id("w4"), u32::MAX);
    let events = world.run(&Command::Copy(vec![Ask { worker, max }]));
    assert_eq!(events.len(), 1);
}

#[test]
fn a_job_has_two_attempts_at_most_and_two_workers() {
    let (mut world, _) = world_with_one_left(LATE);
    assert!(copies(&mut world, "w1").is_empty(), "it has the job");
    copy(&mut world, "w2");
    assert!(copies(&mut world, "w3").is_empty(), "two are enough");
}

#[test]
fn a_sweep_at_its_limit_has_no_second_attempts() {
    let (mut world, _) = world_with_one_left(LATE);
    let mut planned = sweep("s", &["a", "b", "c", "d"]);
    planned.scheduling.max_running = Some(1);
    world.submit(planned.clone());
    assert!(copies(&mut world, "w2").is_empty());
    planned.scheduling.max_running = Some(2);
    world.submit(planned);
    copy(&mut world, "w2");
    assert_eq!(world.brain.state.running(&sweep_id("s")), 2);
    assert!(world.acquire("w3", 1).is_empty(), "both attempts count");
}

#[test]
fn a_failure_beside_another_attempt_costs_nothing_and_there_is_no_third() {
    for late_fails in [true, false] {
        let (mut world, last) = world_with_one_left(LATE);
        let second = copy(&mut world, "w2");
        let (fails, stays) = if late_fails {
            (&last, &second)
        } else {
            (&second, &last)
        };
        world.fail(fails, FailureClass::NanLoss);
        assert_eq!(world.state_of(last.job), JobState::Leased);
        let job = world.brain.state.job(last.job).unwrap();
        assert_eq!((job.failures(), job.leases().count()), (0, 1));
        assert_eq!(job.leases().next().unwrap().id, stays.lease);
        world.wait(20);
        world.renew(stays, 10, 100);
        assert!(copies(&mut world, "w3").is_empty());
        world.fail(stays, FailureClass::Storage);
        assert_eq!(world.brain.state.job(last.job).unwrap().failures(), 1);
    }
}

#[test]
fn a_job_that_runs_twice_is_in_flight_once() {
    let (mut world, last) = world_with_one_left(LATE);
    let second = copy(&mut world, "w2");
    world.renew(&second, 5, 100);
    let status = world.brain.sweep_status(&sweep_id("s"), world.now).unwrap();
    let train = status.stages.iter().find(|stage| stage.leased > 0).unwrap();
    assert_eq!((train.leased, train.in_flight), (1, 0.1));
    world.complete(&last);
}

#[test]
fn two_silent_workers_cost_one_failure() {
    let (mut world, last) = world_with_one_left(LATE);
    copy(&mut world, "w2");
    world.wait(31);
    assert_eq!(world.run(&Command::Tick).len(), 2);
    let job = world.brain.state.job(last.job).unwrap();
    assert_eq!((job.failures(), job.phase.state()), (1, JobState::Ready));
}

#[test]
fn a_cancelled_sweep_takes_both_leases_back() {
    let (mut world, last) = world_with_one_left(LATE);
    let second = copy(&mut world, "w2");
    world.run(&Command::Cancel(sweep_id("s")));
    for granted in [last, second] {
        assert!(world.try_fail(&granted, FailureClass::Storage).is_err());
    }
    assert_eq!(world.brain.state.leases().count(), 0);
}
