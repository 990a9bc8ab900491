//! The real engine without a worker around it: a job goes in, and the test holds the other end of its watch.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vico::digest::Digest;
use vico::ids::{Attempt, JobKey, LeaseId};
use vico::job::{Grant, Stage, output_names};
use vico::spec::{ClassImagesInputs, MethodName, MethodSpec, TrainInputs, algorithm};
use vico_worker::device::ComputeDevice;
use vico_worker::engine::candle::CandleEngine;
use vico_worker::engine::candle::exchange::{Base, Departing};
use vico_worker::engine::watch::{Output, Watched};
use vico_worker::engine::{
    ClassImagesWork, Ended, Engine as _, ModelFolder, NamedBytes, StageWork, TrainWork, Watch, Work,
};
use vico_worker::lease::Lease;
use vico_worker::meters::Meters;

use crate::pipeline::SIZE;
use crate::support::bench::{concept, settings};
use crate::support::tiny;

/// How a job ended, and where what it left can be had.
struct Done {
    ended: Ended,
    watched: Watched,
}

impl Done {
    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.watched.outputs.try_recv().ok()).collect()
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
        let names: Vec<String> = done.outputs().into_iter().map(|output| output.name).collect();
        assert_eq!(names, [output_names::class_image(0)], "{count}");
    }
}

/// Three train steps with a checkpoint after the first.
fn training(seed: u64, resume: Option<&[u8]>) -> TrainWork {
    let base = base();
    let inputs = TrainInputs {
        algorithm: algorithm::train(MethodName::Vico),
        base: base.model.clone(),
        concept: concept(Vec::new()),
        method: MethodSpec::Vico(settings(3, 1)),
        class_images: None,
        size: SIZE,
        seed,
    };
    let resume = resume.map(|bytes| NamedBytes {
        name: "latest".to_owned(),
        bytes: bytes.to_vec(),
    });
    TrainWork {
        inputs,
        base,
        references: tiny::photo_files(),
        class_images: Vec::new(),
        resume,
        checkpoint_every: 1,
    }
}

/// A checkpoint of no use would fail every attempt at its job, were it not passed over.
#[test]
fn a_checkpoint_that_does_not_fit_costs_its_train_steps_and_not_the_job() {
    let adapter = |work, said: &str| {
        let lease = lease(Stage::Train);
        let mut done = execute(StageWork::Train(work), &lease, false);
        assert_eq!(done.ended, Ended::Finished);
        let log = lease.take_log().join("\n");
        assert!(log.contains(said), "{said}: {log}");
        let checkpoint = done.watched.checkpoints.try_recv().unwrap();
        (done.outputs().remove(0).bytes, (checkpoint.encode)().unwrap())
    };
    let (_, of_another) = adapter(training(6, None), "train step 1/3");
    let (whole, own) = adapter(training(7, None), "train step 1/3");
    for (resume, said) in [
        (own.as_slice(), "continuing after train step 1 from latest"),
        (
            of_another.as_slice(),
            "starting over without the checkpoint latest: the training state does not fit",
        ),
        (
            b"not a state".as_slice(),
            "starting over without the checkpoint latest: not a valid",
        ),
    ] {
        let (continued, _) = adapter(training(7, Some(resume)), said);
        assert!(continued == whole, "{said}");
    }
}

/// The variant's files are another model than the plain ones, and nobody has to remember which it was.
#[test]
fn an_adapter_says_which_variant_it_was_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mut model, _) = tiny::base_of_variant(folder.path(), "fp16");
    model.variant = Some("fp16".to_owned());
    let identity = model.identity;
    let mut work = training(7, None);
    work.inputs.base = model.clone();
    work.base = ModelFolder {
        model,
        path: folder.path().into(),
        pins: Vec::new(),
    };
    let mut done = execute(StageWork::Train(work), &lease(Stage::Train), false);
    let file = NamedBytes {
        name: "adapter".to_owned(),
        bytes: done.outputs().remove(0).bytes,
    };
    let adapter = Departing::read(&file).unwrap();
    assert_eq!(adapter.variant(), Some("fp16"));
    let base = Base {
        path: folder.path(),
        identity,
    };
    assert_eq!(adapter.check(base).unwrap(), None);
}
