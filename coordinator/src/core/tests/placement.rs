//! Which job goes to which worker.

use vico::digest::Digest;
use vico::ids::{JobKey, WorkerId};
use vico::job::{Device, JobState, Stage};
use vico::plan::Scheduling;
use vico::spec::{ModelInputs, Precision};

use super::world::{World, granted, id, introduction, key, model, needing, sweep, sweep_id};
use crate::core::{Ask, Command, NewSweep};

const GIB: u64 = 1 << 30;

fn acquire_with(world: &mut World, worker: &str, at_hand: &[Digest]) -> Vec<JobKey> {
    world.brain.floor.hint(&id(worker), at_hand);
    world
        .acquire(worker, 1)
        .into_iter()
        .map(|granted| granted.job)
        .collect()
}

#[test]
fn a_job_goes_only_where_it_fits() {
    let cases = [
        (Device::Any, 0, true, true),
        (Device::Any, 20 * GIB, true, false),
        (Device::Gpu, 0, false, true),
        (Device::Gpu, 16 * GIB, false, true),
        (Device::Gpu, 20 * GIB, false, false),
    ];
    for (device, vram, on_cpu, on_gpu) in cases {
        let mut world = World::new();
        world.submit(needing(sweep("s", &["cat"]), device, vram));
        world.cpu("cpu", 1);
        world.join(&introduction("gpu", 1, 16 * GIB));
        for (worker, expected) in [("cpu", on_cpu), ("gpu", on_gpu)] {
            let asks = vec![Ask {
                worker: id(worker),
                max: 1,
            }];
            let placed = !world.brain.place(&asks, world.now).is_empty();
            assert_eq!(placed, expected, "{device:?} with {vram} bytes on {worker}");
        }
    }
}

#[test]
fn a_worker_keeps_to_the_model_it_has() {
    let mut world = World::new();
    world.submit(sweep("a", &["cat", "cow"]));
    let mut other = sweep("b", &["dog", "duck"]);
    other
        .jobs
        .iter_mut()
        .for_each(|job| job.models = vec![model("other")]);
    world.submit(other);
    world.cpu("w1", 4);
    // Nobody starves: each sweep first gets one job.
    world.acquire("w1", 2);
    let next = acquire_with(&mut world, "w1", &[model("other")]);
    assert!(
        next == [key("dog/train")] || next == [key("duck/train")],
        "{next:?}"
    );
}

/// Who gets the one job of these models, where the first to ask has `first` at hand and the second `second`.
fn preferred(models: &[Digest], first: &[Digest], second: &[Digest]) -> WorkerId {
    let mut world = World::new();
    let mut planned = sweep("s", &["cat"]);
    for job in &mut planned.jobs {
        job.models = models.to_vec();
    }
    world.submit(planned);
    let asks = [("first", first), ("second", second)].map(|(name, at_hand)| {
        world.cpu(name, 1);
        world.brain.floor.hint(&id(name), at_hand);
        Ask {
            worker: id(name),
            max: 1,
        }
    });
    let placed = world.brain.place(&asks, world.now);
    assert_eq!(placed.len(), 1);
    placed[0].worker.clone()
}

#[test]
fn a_model_loaded_in_the_jobs_precision_comes_first_then_its_files() {
    let loaded = |precision| {
        let base = ModelInputs {
            identity: model("base"),
            variant: None,
            precision: Some(precision),
        };
        base.loaded()
    };
    let (whole, half) = (loaded(Precision::F32), loaded(Precision::Bf16));
    let best_first: [&[Digest]; 3] = [&whole, &half, &[]];
    for pair in best_first.windows(2) {
        let (better, worse) = (pair[0], pair[1]);
        assert_eq!(preferred(&whole, better, worse), id("first"));
        assert_eq!(preferred(&whole, worse, better), id("second"));
    }
    let files = &[model("base")];
    assert_eq!(preferred(&whole, &[], files), id("second"));
    assert_eq!(preferred(&whole, files, &half), id("first"), "both must load");
}

#[test]
fn a_sample_job_follows_its_adapter() {
    let mut world = World::new();
    let planned = NewSweep {
        done: vec![key("cat/train"), key("dog/train"), key("cow/train")],
        ..sweep("s", &["cat", "dog", "cow"])
    };
    world.submit(planned);
    for concept in ["cat", "dog", "cow"] {
        world.cpu(concept, 1);
        let adapter = key(&format!("{concept}/train")).0;
        let next = acquire_with(&mut world, concept, &[adapter]);
        assert_eq!(next, [key(&format!("{concept}/sample"))]);
    }
}

#[test]
fn sweeps_share_fairly_whatever_their_size() {
    let mut world = World::new();
    world.submit(sweep("big", &["a", "b", "c", "d", "e", "f", "g", "h"]));
    world.wait(1);
    world.submit(sweep("small", &["x", "y"]));
    world.cpu("w1", 4);
    let grants = world.acquire("w1", 4);
    let small = grants
        .iter()
        .filter(|g| g.job == key("x/train") || g.job == key("y/train"));
    assert_eq!(small.count(), 2);
}

#[test]
fn longer_jobs_go_first_once_durations_are_known() {
    let mut world = World::new();
    let planned = NewSweep {
        done: vec![key("cat/train")],
        ..sweep("s", &["cat", "dog", "cow"])
    };
    world.submit(planned);
    world.cpu("w1", 1);
    // Training turns out to be quick, sampling slow.
    for _ in 0..2 {
        let granted = world.acquire_one("w1");
        let stage = world.brain.state.job(granted.job).unwrap().stage;
        world.wait(if stage == Stage::Sample { 100 } else { 1 });
        world.complete(&granted);
    }
    assert!(
        ["cat/score", "dog/train", "cow/train"]
            .iter()
            .any(|job| world.state_of(key(job)) == JobState::Ready)
    );
    let next = world.acquire_one("w1").job;
    assert_eq!(world.brain.state.job(next).unwrap().stage, Stage::Sample);
}

#[test]
fn several_askers_get_what_suits_each() {
    let mut world = World::new();
    let planned = NewSweep {
        done: vec![key("cat/train"), key("dog/train")],
        ..sweep("s", &["cat", "dog"])
    };
    world.submit(planned);
    world.cpu("w1", 1);
    world.cpu("w2", 1);
    world.brain.floor.hint(&id("w1"), &[key("dog/train").0]);
    world.brain.floor.hint(&id("w2"), &[key("cat/train").0]);
    let asks = ["w1", "w2"].map(|name| Ask {
        worker: id(name),
        max: 1,
    });
    for granted in granted(&world.run(&Command::Place(asks.to_vec()))) {
        let expected = if granted.worker == id("w1") {
            "dog/sample"
        } else {
            "cat/sample"
        };
        assert_eq!(granted.job, key(expected));
    }
}

#[test]
fn the_choice_is_a_function_of_its_inputs() {
    let mut world = World::new();
    world.submit(sweep("s", &["a", "b", "c", "d"]));
    world.cpu("w1", 2);
    world.cpu("w2", 2);
    let asks = ["w1", "w2"].map(|name| Ask {
        worker: id(name),
        max: 2,
    });
    let once = world.brain.place(&asks, world.now);
    assert_eq!(once.len(), 4);
    assert_eq!(world.brain.place(&asks, world.now), once);
}

/// How many of each sweep's jobs run after one worker of `slots` took all it could.
fn shares(world: &mut World, sweeps: &[&str], slots: u32) -> Vec<u32> {
    world.cpu("w1", slots);
    world.acquire("w1", slots);
    let running = |name: &&str| world.brain.state.running(&sweep_id(name));
    sweeps.iter().map(running).collect()
}

fn submit(world: &mut World, name: &str, scheduling: Scheduling) {
    let concepts: Vec<String> = (0..12).map(|n| format!("{name}{n}")).collect();
    let concepts: Vec<&str> = concepts.iter().map(String::as_str).collect();
    let planned = NewSweep {
        scheduling,
        ..sweep(name, &concepts)
    };
    world.submit(planned);
}

#[test]
fn a_double_share_is_twice_as_many_jobs() {
    let mut world = World::new();
    let share = |share| Scheduling {
        share,
        ..Scheduling::default()
    };
    submit(&mut world, "single", share(1));
    submit(&mut world, "double", share(2));
    assert_eq!(shares(&mut world, &["single", "double"], 9), [3, 6]);
}

#[test]
fn higher_priority_goes_first_and_leaves_the_rest() {
    let mut world = World::new();
    let priority = |priority| Scheduling {
        priority,
        ..Scheduling::default()
    };
    submit(&mut world, "low", priority(-1));
    submit(&mut world, "high", priority(1));
    assert_eq!(shares(&mut world, &["low", "high"], 9), [0, 9]);
    assert_eq!(shares(&mut world, &["low", "high"], 15), [3, 12]);
}

#[test]
fn a_sweep_keeps_to_its_limit_and_says_so() {
    let mut world = World::new();
    let limited = Scheduling {
        priority: 5,
        max_running: Some(2),
        ..Scheduling::default()
    };
    submit(&mut world, "limited", limited);
    submit(&mut world, "other", Scheduling::default());
    assert_eq!(shares(&mut world, &["limited", "other"], 8), [2, 6]);
    let waits = (0..12).map(|n| key(&format!("limited{n}/train")));
    let waiting = waits.filter(|key| world.state_of(*key) == JobState::Ready);
    for job in waiting {
        assert_eq!(
            world.reason(job),
            "its sweep runs 2 jobs at a time (`scheduling.max_running`)"
        );
    }
}

#[test]
fn submitting_again_moves_a_sweep_and_nothing_else() {
    let mut world = World::new();
    submit(&mut world, "s", Scheduling::default());
    let moved = Scheduling {
        priority: 7,
        ..Scheduling::default()
    };
    submit(&mut world, "s", moved.clone());
    assert_eq!(world.brain.state.sweep(&sweep_id("s")).unwrap().scheduling, moved);
    assert_eq!(world.brain.state.jobs().count(), 36);
    world.restart();
}

/// Placement looks at kinds of workers and jobs; a worker with two slots must still get its second job last.
#[test]
fn jobs_are_spread_over_workers_that_are_alike() {
    let mut world = World::new();
    world.submit(sweep("s", &["a", "b", "c"]));
    let asks = ["w1", "w2", "w3"].map(|name| {
        world.cpu(name, 2);
        Ask {
            worker: id(name),
            max: 2,
        }
    });
    let placed = world.brain.place(&asks, world.now);
    let workers: Vec<_> = placed.into_iter().map(|placed| placed.worker).collect();
    assert_eq!(workers, ["w1", "w2", "w3"].map(id));
}

#[test]
fn towards_the_end_long_jobs_come_before_those_that_are_near() {
    let next = |concepts: &[&str]| {
        let mut world = World::new();
        let planned = NewSweep {
            done: vec![key("cat/train")],
            ..sweep("s", concepts)
        };
        world.submit(planned);
        world.cpu("w1", 1);
        let next = acquire_with(&mut world, "w1", &[key("cat/train").0]);
        world.brain.state.job(next[0]).unwrap().stage
    };
    assert_eq!(next(&["cat", "dog"]), Stage::Train);
    let many = ["cat", "a", "b", "c", "d", "e", "f", "g", "h", "i"];
    assert_eq!(next(&many), Stage::Sample);
}
