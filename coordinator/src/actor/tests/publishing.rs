//! Results are written of several sweeps at a time.

use tokio::time::advance;
use vico::ids::SweepId;

use super::*;
use crate::actor::publishing::Publishing;

/// A sweep that has ended when it is taken in.
fn done(id: &str) -> NewSweep {
    let mut sweep = staged::sweep(id.parse().unwrap(), staged::chain(id, "m", 0).into());
    sweep.done = sweep.jobs.iter().map(|job| job.key).collect();
    sweep
}

/// The sweeps whose results are being written, a letter each.
fn under_way(actor: &Actor) -> String {
    let stand = actor.publishing.iter();
    let under_way = stand.filter(|(_, stands)| matches!(stands, Publishing::UnderWay));
    under_way.map(|(sweep, _)| sweep.as_str()).collect()
}

/// The writing of a sweep's results has come to its end, or has panicked.
fn end(actor: &mut Actor, id: &str, works: bool) {
    let sweep: SweepId = id.parse().unwrap();
    let finished = actor.brain.state.sweep(&sweep).unwrap().finished;
    actor.published(sweep, finished, works.then_some(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn results_are_written_of_eight_sweeps_at_a_time_and_failures_keep_nobody_waiting() {
    let clock = SetClock::new();
    let (mut actor, _inbox) = idle_actor(&clock);
    for (seconds, id) in ('a'..='k').rev().enumerate() {
        clock.set_ahead(seconds as i64);
        actor.execute(&Command::AddSweep(done(&id.to_string()))).unwrap();
    }
    actor.tick();
    assert_eq!(under_way(&actor), "defghijk", "they ended first");
    actor.tick();
    assert_eq!(under_way(&actor), "defghijk");
    end(&mut actor, "k", false);
    assert_eq!(under_way(&actor), "cdefghij", "`k` waits until it is tried again");
    advance(Duration::from_mins(1)).await;
    end(&mut actor, "j", true);
    assert_eq!(under_way(&actor), "bcdefghi", "`k` may fail again");
    for id in ["i", "h"] {
        end(&mut actor, id, true);
    }
    assert_eq!(under_way(&actor), "abcdefgk");
    for id in ["a", "b", "c", "d", "e", "f", "g", "k"] {
        end(&mut actor, id, true);
    }
    assert_eq!(actor.brain.unpublished().count(), 0);
    assert!(actor.publishing.is_empty());
}
