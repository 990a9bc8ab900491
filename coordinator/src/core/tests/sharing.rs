//! Several sweeps over the same jobs, cancelling, and what was done before.

use vico::job::{FailureClass, JobState, Stage};
use vico::status::SweepState;

use super::world::{World, key, sweep, sweep_id};
use crate::core::{Command, Event, NewSweep, Refusal};

fn state(world: &World, sweep: &str) -> SweepState {
    world
        .brain
        .sweep_status(&sweep_id(sweep), world.now)
        .unwrap()
        .state
}

#[test]
fn two_sweeps_share_a_job_that_both_need() {
    let mut world = World::new();
    world.submit(sweep("a", &["cat"]));
    world.submit(sweep("b", &["cat", "dog"]));
    world.cpu("w1", 8);
    assert_eq!(world.acquire("w1", 8).len(), 2, "cat/train once, dog/train once");
}

#[test]
fn cancelling_one_sweep_keeps_what_another_needs() {
    let mut world = World::new();
    world.submit(sweep("a", &["cat", "dog"]));
    world.submit(sweep("b", &["cat"]));
    world.cpu("w1", 8);
    let grants = world.acquire("w1", 8);
    world.run(&Command::Cancel(sweep_id("a")));
    assert_eq!(world.state_of(key("cat/train")), JobState::Leased);
    assert_eq!(world.state_of(key("dog/train")), JobState::Cancelled);
    assert_eq!(
        (state(&world, "a"), state(&world, "b")),
        (SweepState::Cancelled, SweepState::Running)
    );
    let dog = grants
        .iter()
        .find(|granted| granted.job == key("dog/train"))
        .unwrap();
    let error = world.try_fail(dog, FailureClass::Storage).unwrap_err();
    assert!(
        error.to_string().contains("cancelled: the sweep was cancelled"),
        "{error}"
    );

    world.run(&Command::Retry {
        sweep: sweep_id("a"),
        class: None,
    });
    assert_eq!(world.state_of(key("dog/train")), JobState::Ready);
    assert_eq!(state(&world, "a"), SweepState::Running);
}

#[test]
fn what_has_ended_cannot_be_cancelled() {
    let mut world = World::new();
    let done = NewSweep {
        done: sweep("s", &["cat"]).jobs.iter().map(|job| job.key).collect(),
        ..sweep("s", &["cat"])
    };
    world.submit(done);
    let refused = world.try_do(&Command::Cancel(sweep_id("s")));
    assert!(matches!(
        refused,
        Err(Refusal::AlreadyEnded { how: "succeeded", .. })
    ));
    let refused = world.try_do(&Command::Cancel(sweep_id("nope")));
    assert_eq!(refused, Err(Refusal::UnknownSweep("nope".into())));
}

/// Two sweeps, three trainings, one job that draws for all of them: it runs once, and its failure aborts them all.
#[test]
fn class_images_are_drawn_once_and_before_every_training_that_needs_them() {
    let mut world = World::new();
    world.submit(sweep("a", &["toy:duck", "toy:bear"]));
    world.submit(sweep("b", &["toy:duck", "cat"]));
    world.cpu("w1", 8);
    let granted = world.acquire("w1", 8);
    let jobs: Vec<_> = granted.iter().map(|granted| granted.job).collect();
    assert_eq!(jobs.len(), 2);
    assert!(jobs.contains(&key("toy/class_images")) && jobs.contains(&key("cat/train")));
    assert_eq!(world.state_of(key("duck/train")), JobState::Blocked);
    let drawn = granted
        .iter()
        .find(|granted| granted.job == key("toy/class_images"));
    world.complete(drawn.unwrap());
    assert_eq!(world.state_of(key("duck/train")), JobState::Ready);
    assert_eq!(world.state_of(key("bear/train")), JobState::Ready);
}

#[test]
fn class_images_that_cannot_be_drawn_abort_what_needs_them() {
    let mut world = World::new();
    world.submit(sweep("a", &["toy:duck", "cat"]));
    world.cpu("w1", 8);
    let granted = world.acquire("w1", 8);
    let drawn = granted
        .iter()
        .find(|granted| granted.job == key("toy/class_images"));
    world.fail(drawn.unwrap(), FailureClass::InvalidInput);
    for stage in ["train", "sample", "score"] {
        assert_eq!(world.state_of(key(&format!("duck/{stage}"))), JobState::Aborted);
    }
    assert_eq!(world.state_of(key("cat/train")), JobState::Leased);
}

#[test]
fn jobs_with_receipts_are_reused() {
    let mut world = World::new();
    let planned = NewSweep {
        done: vec![key("cat/train"), key("cat/sample")],
        ..sweep("s", &["cat", "dog"])
    };
    world.submit(planned);
    assert_eq!(world.state_of(key("cat/score")), JobState::Ready);
    let status = world.brain.sweep_status(&sweep_id("s"), world.now).unwrap();
    let reused: Vec<_> = status
        .stages
        .iter()
        .map(|stage| (stage.stage, stage.reused))
        .collect();
    assert_eq!(reused, [(Stage::Train, 1), (Stage::Sample, 1), (Stage::Score, 0)]);
}

#[test]
fn a_receipt_found_by_a_second_sweep_ends_the_first_ones_attempt() {
    let mut world = World::new();
    world.submit(sweep("a", &["cat"]));
    world.cpu("w1", 1);
    let granted = world.acquire_one("w1");
    world.submit(NewSweep {
        done: vec![key("cat/train")],
        ..sweep("b", &["cat"])
    });
    assert_eq!(world.state_of(granted.job), JobState::Succeeded);
    assert_eq!(world.state_of(key("cat/sample")), JobState::Ready);
}

#[test]
fn the_same_sweep_again_is_joined() {
    let mut world = World::new();
    world.submit(sweep("s", &["cat"]));
    assert_eq!(world.run(&Command::AddSweep(sweep("s", &["cat"]))), []);
}

#[test]
fn a_new_sweep_revives_what_had_failed() {
    let mut world = World::new();
    world.submit(sweep("a", &["cat"]));
    world.cpu("w1", 1);
    let granted = world.acquire_one("w1");
    world.fail(&granted, FailureClass::InvalidInput);
    assert_eq!(state(&world, "a"), SweepState::Failed);
    world.submit(sweep("b", &["cat"]));
    assert_eq!(world.state_of(granted.job), JobState::Ready);
    assert_eq!(
        state(&world, "a"),
        SweepState::Running,
        "its job runs again, whoever asked"
    );
}

#[test]
fn plans_that_are_not_closed_or_not_forward_are_refused() {
    let mut world = World::new();
    let mut open = sweep("s", &["cat"]);
    open.jobs.remove(0);
    assert!(matches!(
        world.try_do(&Command::AddSweep(open)),
        Err(Refusal::OpenPlan { .. })
    ));
    let mut backward = sweep("s", &["cat"]);
    backward.jobs[0].upstream.push(key("cat/score"));
    assert!(matches!(
        world.try_do(&Command::AddSweep(backward)),
        Err(Refusal::BackwardPlan { .. })
    ));
    let empty = sweep("s", &[]);
    assert!(matches!(
        world.try_do(&Command::AddSweep(empty)),
        Err(Refusal::EmptyPlan(_))
    ));
}

#[test]
fn results_are_due_once_a_sweep_has_ended_and_again_after_a_retry() {
    let mut world = World::new();
    world.submit(sweep("s", &["cat"]));
    world.cpu("w1", 1);
    assert_eq!(world.brain.unpublished().count(), 0);
    let granted = world.acquire_one("w1");
    world.fail(&granted, FailureClass::InvalidInput);
    assert_eq!(world.brain.unpublished().count(), 1);
    let published = Command::Published(sweep_id("s"));
    assert_eq!(
        world.run(&published),
        [Event::SweepPublished { sweep: sweep_id("s") }]
    );
    assert_eq!(world.brain.unpublished().count(), 0);
    assert_eq!(world.run(&published), []);
    world.run(&Command::Retry {
        sweep: sweep_id("s"),
        class: None,
    });
    let again = world.acquire_one("w1");
    world.fail(&again, FailureClass::InvalidInput);
    assert_eq!(world.brain.unpublished().count(), 1);
}

/// A receipt is written or found after its job was given up; no other job follows from it.
#[test]
fn results_are_due_again_when_what_had_failed_is_done_after_all() {
    for found_by_another in [false, true] {
        let mut world = World::new();
        let before_score = vec![key("cat/train"), key("cat/sample")];
        world.submit(NewSweep {
            done: before_score,
            ..sweep("s", &["cat"])
        });
        world.cpu("w1", 1);
        let granted = world.acquire_one("w1");
        world.fail(&granted, FailureClass::InvalidInput);
        let ended = |world: &World| world.brain.state.sweep(&sweep_id("s")).unwrap().finished;
        let first = ended(&world);
        world.run(&Command::Published(sweep_id("s")));
        if found_by_another {
            world.submit(NewSweep {
                done: vec![granted.job],
                ..sweep("other", &["cat"])
            });
        } else {
            world.complete(&granted);
        }
        assert_eq!(state(&world, "s"), SweepState::Succeeded);
        assert!(
            ended(&world) > first,
            "results of before are told from those of now"
        );
        let mut due = world.brain.unpublished();
        assert!(due.any(|due| *due == sweep_id("s")));
    }
}
