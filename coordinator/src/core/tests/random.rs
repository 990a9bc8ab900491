//! Random walks: any sequence of commands keeps every invariant, and the journal tells the whole story.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use vico::job::JobState;

use super::walk::{Walk, moves};
use super::world::{World, granted, id, introduction, key, receipt, sweep};
use crate::core::format::{decode_events, decode_snapshot, encode_events, encode_snapshot};
use crate::core::{Ask, Brain, Command, Settings, State};
use crate::sabotage::{Sabotage, with};

/// fold(journal) equals the live state at every prefix, through the bytes of the journal and of a snapshot.
fn check_journal(world: &World, live: &[State]) {
    let mut state = State::default();
    for (event, expected) in world.journal.iter().zip(live) {
        let bytes = encode_events(std::slice::from_ref(event)).unwrap();
        decode_events(&bytes)
            .unwrap()
            .iter()
            .for_each(|event| state.apply(event));
        assert_eq!(state, *expected, "after {event:?}");
    }
    let bytes = encode_snapshot(&state.snapshot()).unwrap();
    assert_eq!(State::from(decode_snapshot(&bytes).unwrap()), state);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_commands_keeps_the_invariants(steps in proptest::collection::vec(moves(), 1..60)) {
        let mut walk = Walk::new();
        for step in &steps {
            walk.make(step);
        }
        walk.world.restart();
        walk.finish();
    }

    #[test]
    fn the_journal_tells_the_whole_story(steps in proptest::collection::vec(moves(), 1..30)) {
        let mut walk = Walk::new();
        let mut live = Vec::new();
        for step in &steps {
            let told = walk.world.journal.len();
            let mut state = walk.world.brain.state.clone();
            walk.make(step);
            for event in &walk.world.journal[told..] {
                state.apply(event);
                live.push(state.clone());
            }
            prop_assert_eq!(&state, &walk.world.brain.state);
        }
        check_journal(&walk.world, &live);
    }
}

#[test]
fn ten_thousand_jobs_are_placed_in_good_time() {
    let names: Vec<String> = (0..3500).map(|n| format!("c{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut brain = Brain::new(State::default(), Settings::default(), World::new().now);
    let now = World::new().now;
    for event in brain.decide(&Command::AddSweep(sweep("s", &names)), now).unwrap() {
        brain.state.apply(&event);
    }
    brain.floor.welcome(&introduction("w", 64, 0), now);
    let begun = Instant::now();
    let mut done = 0;
    loop {
        let ask = Ask {
            worker: id("w"),
            max: 64,
        };
        let events = brain.decide(&Command::Place(vec![ask]), now).unwrap();
        if events.is_empty() {
            break;
        }
        for event in &events {
            brain.state.apply(event);
        }
        for granted in granted(&events) {
            let stage = brain.state.job(granted.job).unwrap().stage;
            let commit = Command::Commit(receipt(&granted, stage));
            for event in brain.decide(&commit, now).unwrap() {
                brain.state.apply(&event);
            }
            done += 1;
        }
    }
    assert_eq!(done, 3 * names.len());
    assert_eq!(
        brain.state.job(key("c0/score")).unwrap().phase.state(),
        JobState::Succeeded
    );
    // Seconds where a slow rule would take minutes; far from the measured time, so that a busy machine passes too.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// The model finds what the invariants cannot see.
#[test]
fn a_miscount_of_attempts_is_found() {
    let walks = proptest::collection::vec(moves(), 1..60);
    let config = ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = with(Sabotage::MiscountAttempts, || {
        runner.run(&walks, |steps| {
            let mut walk = Walk::new();
            for step in &steps {
                walk.make(step);
            }
            Ok(())
        })
    });
    assert!(outcome.is_err(), "nobody noticed");
}
