//! The small trained model, one of its held-out concepts, and requests that fit them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use candle_core::Device;
use vico_engine::adapter::Adapter;
use vico_engine::base_model::BaseModel;
use vico_engine::diffusion::NoiseKey;
use vico_engine::image::{Limits, Rgb8, decode};
use vico_engine::methods::Next;
use vico_engine::methods::sampling::{SampleSpec, SampleWatch};
use vico_engine::methods::training::{TrainReport, TrainingState, Watch};
use vico_engine::methods::vico::{VicoSpec, sample, train};
use vico_engine::metrics::{EvaluatorDirs, Evaluators, Features, Protocol};
use vico_engine::models::unet::Checkpointing;

const CONCEPT: &str = "bolt_monster";
pub(crate) const SIZE: usize = 64;

fn world(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../manifests/world")
        .join(path)
}

pub(crate) fn base() -> &'static BaseModel {
    static BASE: OnceLock<BaseModel> = OnceLock::new();
    BASE.get_or_init(|| BaseModel::load(&world("models/base"), None, &Device::Cpu).unwrap())
}

pub(crate) fn photos() -> Vec<Rgb8> {
    let path = |i| world(&format!("concepts/{CONCEPT}/{i:02}.png"));
    let read = |i| decode(&std::fs::read(path(i)).unwrap(), &Limits::default()).unwrap();
    (0..5).map(read).collect()
}

/// Class tokens of pictures.
pub(crate) fn dino(pictures: &[Rgb8]) -> Features {
    static EVALUATORS: OnceLock<Evaluators> = OnceLock::new();
    let evaluators = EVALUATORS.get_or_init(|| {
        let (clip, dino) = (world("models/clip"), world("models/dino"));
        let dirs = EvaluatorDirs {
            clip: &clip,
            tokenizer: &clip,
            dino: &dino,
            lpips: None,
        };
        Evaluators::load(&dirs, &Device::Cpu).unwrap()
    });
    let features = evaluators.images(&[Protocol::BenchV1], pictures).unwrap();
    features.into_iter().next().unwrap().dino.unwrap()
}

/// As in `manifests/quickstart.yaml`, but for the numbers of steps and of samples per step.
pub(crate) fn spec(steps: usize) -> VicoSpec {
    VicoSpec {
        steps,
        batch: 4,
        micro_batch: 4,
        lr_embedding: 5e-3,
        lr_image_attention: 1e-3,
        weight_decay: 0.01,
        reg_weight: 5e-4,
        use_mask: true,
        placeholder: "*".to_owned(),
        initializer: "monster".to_owned(),
        image_size: SIZE,
        seed: 0,
        concept: CONCEPT.to_owned(),
        checkpointing: Checkpointing::Off,
    }
}

pub(crate) fn trained(spec: &VicoSpec) -> Adapter {
    train(base(), spec, &photos(), None, &mut Patient).unwrap()
}

/// Eight pictures, each with another prompt.
pub(crate) fn samples(adapter: &Adapter) -> Vec<Rgb8> {
    let places = [
        "on the beach",
        "in the snow",
        "in the jungle",
        "at night",
        "on top of a wooden floor",
        "in front of a brick wall",
        "with a city in the background",
        "floating on top of water",
    ];
    let reference = photos().remove(0);
    let draw = |place| {
        let prompt = format!("a photo of a * {place}");
        let key = NoiseKey {
            seed: 0,
            concept: CONCEPT.to_owned(),
            prompt: prompt.clone(),
            image: 0,
        };
        let spec = SampleSpec {
            prompt,
            negative_prompt: String::new(),
            steps: 10,
            eta: 0.0,
            guidance: 5.0,
            size: SIZE,
            images: vec![key],
            batch: 1,
        };
        sample(base(), adapter, &reference, &spec, &mut Patient)
            .unwrap()
            .remove(0)
    };
    places.into_iter().map(draw).collect()
}

struct Patient;

impl Watch for Patient {
    fn after_step(
        &mut self,
        _report: &TrainReport,
        _state: &dyn Fn() -> vico_engine::Result<TrainingState>,
    ) -> Next {
        Next::Continue
    }
}

impl SampleWatch for Patient {
    fn after_denoise_step(&mut self, _done: usize, _of: usize) -> Next {
        Next::Continue
    }
}
