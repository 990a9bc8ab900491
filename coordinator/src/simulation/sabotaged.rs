//! The simulation finds bugs: planted ones, each within a few seeds.

use super::simulate;
use crate::sabotage::{Sabotage, with};

/// Seeds within which a planted bug must show.
const PATIENCE: u64 = 200;

fn is_found(sabotage: Sabotage) {
    let found = with(sabotage, || {
        (0..PATIENCE).find(|&seed| !simulate(seed).broken.is_empty())
    });
    assert!(found.is_some(), "{sabotage:?} is not found in {PATIENCE} seeds");
}

#[test]
fn forgotten_fencing_is_found() {
    is_found(Sabotage::ForgetFencing);
}

#[test]
fn answers_before_durability_are_found() {
    is_found(Sabotage::AnswerBeforeDurable);
}

#[test]
fn snapshots_ahead_of_the_journal_are_found() {
    is_found(Sabotage::SnapshotTooEarly);
}

#[test]
fn a_second_commit_is_found() {
    is_found(Sabotage::CommitTwice);
}

#[test]
fn a_lost_wake_up_is_found() {
    is_found(Sabotage::LoseWakeUp);
}

#[test]
fn dead_leases_are_found() {
    is_found(Sabotage::KeepDeadLeases);
}
