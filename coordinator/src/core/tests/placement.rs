//! Which job goes to which worker.

use vico::digest::Digest;
use vico::ids::JobKey;
use vico::job::Device;

use super::world::{World, granted, id, introduction, key, model, needing, sweep};
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
    for (seconds, _) in [(1, "dog/train"), (1, "cow/train")] {
        let train = world.acquire_one("w1");
        world.wait(seconds);
        world.complete(&train);
    }
    let sample = world.acquire_one("w1");
    world.wait(100);
    world.complete(&sample);
    let next = world.acquire_one("w1").job;
    assert!(world.brain.state.job(next).unwrap().label.ends_with("/sample"));
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
