//! What may happen to a lease while its receipt is being written.

use vico::job::{FailureClass, JobState};

use super::world::{World, sweep};
use crate::core::{Command, Refusal};

fn one_worker() -> World {
    let mut world = World::new();
    world.submit(sweep("s", &["cat"]));
    world.cpu("w1", 1);
    world
}

#[test]
fn a_lease_does_not_expire_while_its_receipt_is_written() {
    let mut world = one_worker();
    let granted = world.acquire_one("w1");
    world.brain.floor.begin_commit(granted.lease);
    world.wait(100);
    assert!(world.run(&Command::Tick).is_empty());
    world.brain.floor.end_commit(granted.lease, world.now);
    world.wait(30);
    assert_eq!(world.run(&Command::Tick).len(), 1);
}

/// A worker that is told to leave does not wait for a slow bucket.
#[test]
fn a_lease_that_is_given_back_while_its_receipt_is_written_stays() {
    let mut world = one_worker();
    world.cpu("w2", 1);
    let granted = world.acquire_one("w1");
    let (worker, leases) = (granted.worker.clone(), vec![granted.lease]);
    let release = Command::Release { worker, leases };
    world.begin_commit(&granted);
    assert!(world.run(&release).is_empty());
    assert!(world.acquire("w2", 1).is_empty(), "nobody is to train it again");
    world.end_commit(&granted);
    assert_eq!(world.run(&release).len(), 1, "the bucket did not take it");
}

/// A worker that heard a no may have asked twice.
#[test]
fn a_lease_does_not_fail_while_its_receipt_is_written() {
    let mut world = one_worker();
    let granted = world.acquire_one("w1");
    world.begin_commit(&granted);
    let (job, lease) = (granted.job, granted.lease);
    let refused = world.try_fail(&granted, FailureClass::InvalidInput);
    assert_eq!(refused, Err(Refusal::BeingCommitted { job, lease }));
    assert_eq!(world.state_of(job), JobState::Leased);
    world.end_commit(&granted);
    world.fail(&granted, FailureClass::InvalidInput);
    assert_eq!(world.state_of(job), JobState::Failed);
}

#[test]
fn a_receipt_that_is_written_twice_is_written_until_both_are_done() {
    let mut world = one_worker();
    let granted = world.acquire_one("w1");
    world.begin_commit(&granted);
    world.begin_commit(&granted);
    world.end_commit(&granted);
    assert!(world.try_fail(&granted, FailureClass::Storage).is_err());
    world.wait(100);
    assert!(world.run(&Command::Tick).is_empty());
    world.end_commit(&granted);
    world.fail(&granted, FailureClass::Storage);
}
