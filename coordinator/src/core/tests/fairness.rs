//! Sweeps that share workers although each needs a model of its own.

use std::collections::VecDeque;

use vico::digest::Digest;
use vico::ids::JobKey;
use vico::plan::Scheduling;

use super::world::{Granted, World, granted, id, model, sweep, sweep_id};
use crate::core::{Ask, Command, NewSweep};

/// Enough jobs for all that is asked below; each needs the model of the sweep's name.
fn submit(world: &mut World, name: &str, share: u32) {
    let concepts: Vec<String> = (0..40).map(|n| format!("{name}{n}")).collect();
    let concepts: Vec<&str> = concepts.iter().map(String::as_str).collect();
    let scheduling = Scheduling {
        share,
        ..Scheduling::default()
    };
    let mut planned = NewSweep {
        scheduling,
        ..sweep(name, &concepts)
    };
    for job in &mut planned.jobs {
        job.models = vec![model(name)];
    }
    world.submit(planned);
}

fn models(world: &World, job: JobKey) -> Vec<Digest> {
    let state = &world.brain.state;
    let profile = state.profile(state.job(job).unwrap());
    profile.unwrap().models.clone()
}

fn running(world: &World) -> [u32; 2] {
    ["first", "second"].map(|name| world.brain.state.running(&sweep_id(name)))
}

/// Workers of one slot, all of which ask at once; those before `border` have the model of the first sweep, the others that
/// of the second.
fn hire(world: &mut World, workers: usize, border: usize) -> VecDeque<Granted> {
    let ask = |number: usize| {
        let name = format!("w{number}");
        world.cpu(&name, 1);
        let has = if number < border { "first" } else { "second" };
        world.brain.floor.hint(&id(&name), &[model(has)]);
        Ask {
            worker: id(&name),
            max: 1,
        }
    };
    let asks = (0..workers).map(ask).collect();
    granted(&world.run(&Command::Place(asks))).into()
}

/// The worker whose job has run for longest gets another; whether it must load another model.
fn turn_over(world: &mut World, held: &mut VecDeque<Granted>) -> bool {
    let ended = held.pop_front().unwrap();
    world.complete(&ended);
    let next = world.acquire_one(&ended.worker.to_string());
    let needed = models(world, next.job);
    world.brain.floor.hint(&ended.worker, &needed);
    held.push_back(next);
    needed != models(world, ended.job)
}

#[test]
fn workers_change_models_until_the_shares_hold_and_then_no_more() {
    for (share, workers, expected) in [(1, 10, [5, 5]), (2, 9, [3, 6])] {
        let mut world = World::new();
        submit(&mut world, "first", 1);
        let mut held = hire(&mut world, workers, workers);
        submit(&mut world, "second", share);
        for _ in 0..2 * workers {
            turn_over(&mut world, &mut held);
        }
        assert_eq!(running(&world), expected, "share {share}");
        let changes = (0..3 * workers).filter(|_| turn_over(&mut world, &mut held));
        assert_eq!(changes.count(), 0, "share {share}");
        assert_eq!(running(&world), expected, "share {share}");
    }
}

/// Workers of one slot that have a sweep's model and get a job of it each.
fn crew(world: &mut World, sweep: &str, workers: usize) -> VecDeque<Granted> {
    let join = |number: usize| {
        let name = format!("{sweep}-{number}");
        world.cpu(&name, 1);
        world.brain.floor.hint(&id(&name), &[model(sweep)]);
        world.acquire_one(&name)
    };
    (0..workers).map(join).collect()
}

#[test]
fn two_sweeps_come_to_their_shares_whatever_a_third_one_holds() {
    let mut world = World::new();
    submit(&mut world, "third", 1);
    crew(&mut world, "third", 16);
    submit(&mut world, "first", 1);
    let mut held = crew(&mut world, "first", 10);
    assert_eq!(running(&world), [10, 0]);
    submit(&mut world, "second", 1);
    for _ in 0..20 {
        turn_over(&mut world, &mut held);
    }
    assert_eq!(running(&world), [5, 5]);
    let changes = (0..30).filter(|_| turn_over(&mut world, &mut held));
    assert_eq!(changes.count(), 0);
}

/// The other sweep's workers that are between two jobs come back to it.
#[test]
fn a_worker_makes_up_for_nobody_who_is_about_to_ask() {
    let mut world = World::new();
    submit(&mut world, "first", 1);
    submit(&mut world, "second", 1);
    let mut held = hire(&mut world, 32, 16);
    assert_eq!(running(&world), [16, 16]);
    let second = |granted: &Granted| models(&world, granted.job) == [model("second")];
    let (second, first): (Vec<_>, Vec<_>) = held.drain(..).partition(second);
    for ended in &second[..2] {
        world.complete(ended);
    }
    let mut held = VecDeque::from(first);
    assert!(!turn_over(&mut world, &mut held));
    assert_eq!(running(&world), [16, 14]);
}
