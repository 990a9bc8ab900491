//! Workers come, go, come back, and misbehave.

use vico::clock::Timestamp;
use vico::job::{Device, FailureClass, JobState, Session};

use super::world::{World, holding, id, introduction, key, needing, sweep};
use crate::core::{Command, Event, Refusal};

#[test]
fn a_restarted_process_loses_what_its_predecessor_held() {
    let mut world = World::new();
    world.submit(sweep("s", &["cat"]));
    world.cpu("w1", 1);
    let granted = world.acquire_one("w1");
    let mut again = introduction("w1", 1, 0);
    again.session.nonce = "second start".into();
    world.join(&again);
    assert_eq!(world.state_of(granted.job), JobState::Ready);
    assert_eq!(world.brain.state.job(granted.job).unwrap().failures(), 1);
}

/// Set forth or back: who was here has time to speak up, and who was gone stays gone.
#[test]
fn a_clock_that_jumps_brings_nobody_back() {
    for jump in [3600, -3600] {
        let mut world = World::new();
        world.wait(7200);
        world.cpu("gone", 1);
        world.wait(300);
        world.cpu("here", 1);
        let before = world.now;
        world.now = Timestamp(before.0.saturating_add_signed(1000 * jump));
        let next = world.brain.state.next_lease();
        world.brain.floor.reopen(next, (before, world.now));
        world.wait(20);
        let floor = &world.brain.floor;
        let present = |name: &str| floor.is_present(floor.worker(&id(name)).unwrap(), world.now);
        assert_eq!((present("gone"), present("here")), (false, true), "{jump} s");
    }
}

#[test]
fn a_grant_that_never_arrived_costs_nothing() {
    let mut world = World::new();
    world.submit(sweep("s", &["cat"]));
    world.cpu("w1", 1);
    let granted = world.acquire_one("w1");
    world.cpu("w1", 1);
    assert_eq!(world.state_of(granted.job), JobState::Ready);
    assert_eq!(world.brain.state.job(granted.job).unwrap().failures(), 0);
}

#[test]
fn a_grant_that_a_crash_kept_from_its_worker_costs_nothing() {
    let mut world = World::new();
    world.submit(sweep("s", &["cat"]));
    world.cpu("w1", 1);
    let granted = world.acquire_one("w1");
    world.restart();
    world.cpu("w1", 1);
    let state = &world.brain.state;
    assert_eq!(world.state_of(granted.job), JobState::Ready);
    assert_eq!(state.job(granted.job).unwrap().failures(), 0);
    assert_eq!(state.worker_record(&id("w1")).strikes, 0);
}

#[test]
fn of_two_processes_with_one_name_the_newer_stays() {
    let mut world = World::new();
    world.cpu("w1", 1);
    let mut newer = introduction("w1", 1, 0);
    newer.session.nonce = "newer".into();
    world.join(&newer);
    let older = introduction("w1", 1, 0);
    let refused = world.try_do(&Command::Register(older.clone()));
    assert_eq!(refused, Err(Refusal::Superseded(id("w1"))));
    assert_eq!(
        world.brain.floor.hear(&older.session, world.now),
        Err(Refusal::Superseded(id("w1")))
    );
    assert_eq!(world.brain.floor.hear(&newer.session, world.now), Ok(()));
}

#[test]
fn strangers_must_register() {
    let mut world = World::new();
    let session = Session {
        worker: id("w9"),
        nonce: "x".into(),
    };
    let refused = world.brain.floor.hear(&session, world.now);
    assert_eq!(refused, Err(Refusal::UnknownSession(id("w9"))));
}

#[test]
fn versions_must_agree_in_all_but_the_patch() {
    let mut world = World::new();
    let ours = env!("CARGO_PKG_VERSION");
    let patched = format!("{}.999", ours.rsplit_once('.').unwrap().0);
    for (version, welcome) in [(ours, true), (&patched, true), ("99.0.0", false), ("", false)] {
        let mut who = introduction("w1", 1, 0);
        who.version = version.to_owned();
        let outcome = world.try_do(&Command::Register(who));
        assert_eq!(outcome.is_ok(), welcome, "{version}: {outcome:?}");
    }
}

#[test]
fn stale_leases_are_revoked_at_registration() {
    let mut world = World::new();
    world.submit(sweep("s", &["cat"]));
    world.cpu("w1", 1);
    let old = world.acquire_one("w1");
    world.wait(30);
    world.run(&Command::Tick);
    let new = world.acquire_one("w1");
    let who = holding(introduction("w1", 2, 0), &[&old, &new]);
    assert_eq!(world.brain.revoked(&who), [old.lease]);
    world.join(&who);
    assert_eq!(world.state_of(key("cat/train")), JobState::Leased);
}

#[test]
fn a_worker_that_fails_three_times_in_a_row_is_quarantined_and_its_jobs_move() {
    let mut world = World::new();
    world.submit(sweep("s", &["a", "b", "c", "d"]));
    world.cpu("bad", 4);
    world.cpu("good", 4);
    let grants = world.acquire("bad", 4);
    world.fail(&grants[0], FailureClass::Internal);
    world.fail(&grants[1], FailureClass::Storage);
    let events = world.try_fail(&grants[2], FailureClass::Timeout).unwrap();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::WorkerQuarantined { .. }))
    );
    assert_eq!(
        world.state_of(grants[3].job),
        JobState::Ready,
        "the healthy attempt moves too"
    );
    assert_eq!(world.brain.state.job(grants[3].job).unwrap().failures(), 0);
    world.wait(29);
    assert!(world.acquire("bad", 4).is_empty());
    world.cpu("good", 4);
    assert_eq!(world.acquire("good", 4).len(), 4);
    let condition = world.brain.worker_list(world.now)[0].condition.clone();
    assert!(condition.unwrap().starts_with("quarantined until "));
}

#[test]
fn a_quarantined_worker_keeps_the_job_whose_receipt_is_written() {
    let mut world = World::new();
    world.submit(sweep("s", &["a", "b", "c", "d", "e"]));
    world.cpu("bad", 5);
    world.cpu("good", 5);
    let grants = world.acquire("bad", 5);
    world.begin_commit(&grants[4]);
    for granted in &grants[..3] {
        world.fail(granted, FailureClass::Internal);
    }
    assert_eq!(world.state_of(grants[3].job), JobState::Ready);
    assert_eq!(world.state_of(grants[4].job), JobState::Leased);
    world.complete(&grants[4]);
    assert_eq!(world.state_of(grants[4].job), JobState::Succeeded);
}

#[test]
fn quarantine_survives_a_restart_and_ends() {
    let mut world = World::new();
    world.submit(sweep("s", &["a", "b", "c", "d", "e"]));
    world.cpu("bad", 4);
    world.cpu("good", 1);
    for granted in world.acquire("bad", 3) {
        world.fail(&granted, FailureClass::Internal);
    }
    world.restart();
    world.cpu("bad", 4);
    assert!(world.acquire("bad", 4).is_empty());
    world.wait(5 * 60);
    assert!(!world.acquire("bad", 4).is_empty());
}

#[test]
fn the_only_worker_is_never_quarantined() {
    let mut world = World::new();
    world.submit(sweep("s", &["a", "b", "c", "d"]));
    world.cpu("only", 4);
    for granted in world.acquire("only", 3) {
        world.fail(&granted, FailureClass::Internal);
    }
    assert_eq!(world.acquire("only", 1).len(), 1);
}

/// Others take work, but none that it has failed at.
#[test]
fn the_only_worker_that_fits_is_never_quarantined() {
    let mut world = World::new();
    world.submit(needing(sweep("s", &["a", "b", "c", "d"]), Device::Gpu, 0));
    world.join(&introduction("gpu", 4, 16 << 30));
    world.cpu("cpu", 4);
    for granted in world.acquire("gpu", 3) {
        world.fail(&granted, FailureClass::Internal);
    }
    assert_eq!(world.acquire("gpu", 1).len(), 1);
}

#[test]
fn a_jobs_own_mistakes_do_not_count_against_the_worker() {
    let mut world = World::new();
    world.submit(sweep("s", &["a", "b", "c", "d"]));
    world.cpu("w1", 4);
    world.cpu("w2", 1);
    for granted in world.acquire("w1", 3) {
        world.fail(&granted, FailureClass::InvalidInput);
    }
    assert_eq!(world.acquire("w1", 1).len(), 1);
}

#[test]
fn the_long_silent_are_forgotten() {
    let mut world = World::new();
    world.cpu("w1", 1);
    world.wait(31);
    let condition = world.brain.worker_list(world.now)[0].condition.clone();
    assert!(condition.unwrap().starts_with("silent since "));
    world.wait(600);
    world.brain.floor.tidy(|_| true, world.now);
    assert!(world.brain.worker_list(world.now).is_empty());
}

#[test]
fn a_draining_worker_gets_nothing_until_its_process_is_another() {
    let mut world = World::new();
    world.submit(sweep("s", &["cat"]));
    world.cpu("w1", 1);
    world.brain.floor.drain(&id("w1")).unwrap();
    assert!(world.acquire("w1", 1).is_empty());
    world.cpu("w1", 1);
    assert!(world.acquire("w1", 1).is_empty(), "reconnecting does not help");
    assert_eq!(
        world.reason(key("cat/train")),
        "every worker that fits is quarantined, cordoned or draining"
    );
    let mut again = introduction("w1", 1, 0);
    again.session.nonce = "second start".into();
    world.join(&again);
    assert_eq!(world.acquire("w1", 1).len(), 1);
    assert_eq!(
        world.brain.floor.drain(&id("w9")),
        Err(Refusal::UnknownWorker("w9".into()))
    );
}

#[test]
fn a_cordon_outlives_the_coordinator_and_the_worker() {
    let mut world = World::new();
    world.submit(sweep("s", &["cat", "dog"]));
    world.cpu("w1", 2);
    let held = world.acquire("w1", 1);
    world.run(&Command::Cordon(id("w1")));
    assert!(world.run(&Command::Cordon(id("w1"))).is_empty(), "twice is once");
    assert!(world.acquire("w1", 1).is_empty());
    assert_eq!(
        world.brain.worker_list(world.now)[0].condition.as_deref(),
        Some("cordoned")
    );
    world.complete(&held[0]);
    world.restart();
    let mut again = introduction("w1", 2, 0);
    again.session.nonce = "second start".into();
    world.join(&again);
    assert!(world.acquire("w1", 1).is_empty());
    world.run(&Command::Uncordon(id("w1")));
    assert_eq!(world.acquire("w1", 1).len(), 1);
}

#[test]
fn nobody_is_cordoned_by_a_slip_of_the_pen() {
    let mut world = World::new();
    let unknown = Refusal::UnknownWorker("w9".into());
    for wish in [Command::Cordon(id("w9")), Command::Uncordon(id("w9"))] {
        assert_eq!(world.try_do(&wish), Err(unknown.clone()));
    }
}
