//! The real engine without a worker around it: a job goes in, and the test holds the other end of its watch.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vico::digest::Digest;
use vico::ids::{Attempt, JobKey, LeaseId};
use vico::job::{Grant, Stage, output_names};
use vico::spec::{ClassImagesInputs, algorithm};
use vico_worker::device::ComputeDevice;
use vico_worker::engine::candle::CandleEngine;
use vico_worker::engine::watch::Watched;
use vico_worker::engine::{ClassImagesWork, Ended, Engine as _, ModelFolder, StageWork, Watch, Work};
use vico_worker::lease::Lease;
use vico_worker::meters::Meters;

use crate::pipeline::SIZE;
use crate::support::tiny;

/// How a job ended, and what it left.
struct Done {
    ended: Ended,
    watched: Watched,
}

impl Done {
    fn outputs(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.watched.outputs.try_recv().ok())
            .map(|output| output.name)
            .collect()
    }
}

fn job() -> JobKey {
    JobKey(Digest::of(b"job"))
}

fn lease(stage: Stage) -> Arc<Lease> {
    Lease::new(Grant {
        job: job(),
        lease: LeaseId(1),
        attempt: Attempt(1),
        sweep: "hello-3fa81c20".parse().unwrap(),
        stage,
        memory_halvings: 0,
    })
}

/// Has the work done under `lease` by a worker that is `leaving` all the while, or not.
fn execute(stage: StageWork, lease: &Arc<Lease>, leaving: bool) -> Done {
    let leave = CancellationToken::new();
    if leaving {
        leave.cancel();
    }
    let (mut watch, watched) = Watch::new(Arc::clone(lease), leave, Meters::default());
    let mut engine = CandleEngine::new(&ComputeDevice::cpu()).unwrap();
    let work = Work {
        job: job(),
        memory_halvings: 0,
        stage,
    };
    let ended = engine.execute(work, &mut watch).unwrap();
    Done { ended, watched }
}

fn base() -> ModelFolder {
    let (model, source) = tiny::base();
    ModelFolder {
        model,
        path: (&source.url).into(),
        pins: Vec::new(),
    }
}

/// Images of one denoise step, after which an image can no longer be given up.
fn class_images(count: u32) -> StageWork {
    let base = base();
    let inputs = ClassImagesInputs {
        algorithm: algorithm::CLASS_IMAGES,
        base: base.model.clone(),
        prompt: "a photo of a barn".to_owned(),
        count,
        steps: 1,
        guidance: 7.5,
        eta: 0.0,
        size: SIZE,
        seed: 5,
    };
    StageWork::ClassImages(ClassImagesWork { inputs, base })
}

#[test]
fn a_worker_that_leaves_stops_before_the_next_class_image_and_not_after_the_last() {
    let lease = lease(Stage::ClassImages);
    for (count, ended) in [(1, Ended::Finished), (2, Ended::Stopped)] {
        let mut done = execute(class_images(count), &lease, true);
        assert_eq!(done.ended, ended, "{count}");
        assert_eq!(done.outputs(), [output_names::class_image(0)], "{count}");
    }
}
