//! The tiny Stable Diffusion of the fixtures, and a small training of every method.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use candle_core::{Device, Tensor};
use vico_engine::adapter::Adapter;
use vico_engine::base_model::BaseModel;
use vico_engine::diffusion::NoiseKey;
use vico_engine::image::{Limits, Rgb8, decode};
use vico_engine::methods::custom_diffusion::{self, CustomDiffusionSpec};
use vico_engine::methods::dreambooth::{self, DreamBoothSpec};
use vico_engine::methods::lora::{self, LoraSpec, TARGETS};
use vico_engine::methods::sampling::{SampleSpec, SampleWatch};
use vico_engine::methods::textual_inversion::{self, TextualInversionSpec};
use vico_engine::methods::training::{TrainReport, TrainingState, Watch};
use vico_engine::methods::{Next, Prior, Recipe};
use vico_engine::models::unet::Checkpointing;

/// Side of the pictures that the tiny VAE turns into 16×16 latents.
pub(crate) const SIZE: usize = 128;

pub(crate) fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/parity")
        .join(path)
}

pub(crate) fn base() -> &'static BaseModel {
    static BASE: OnceLock<BaseModel> = OnceLock::new();
    BASE.get_or_init(|| BaseModel::load(&fixture("tiny-sd"), None, &Device::Cpu).unwrap())
}

/// Pictures of several sizes, most not square.
pub(crate) fn photos(numbers: std::ops::Range<usize>) -> Vec<Rgb8> {
    let read = |i| std::fs::read(fixture(&format!("metrics/photos/{i}.png"))).unwrap();
    numbers
        .map(|i| decode(&read(i), &Limits::default()).unwrap())
        .collect()
}

pub(crate) fn recipe(steps: usize) -> Recipe {
    Recipe {
        steps,
        batch: 2,
        micro_batch: 2,
        weight_decay: 0.01,
        max_grad_norm: Some(1.0),
        image_size: SIZE,
        seed: 23,
        concept: "dog5".to_owned(),
    }
}

/// One of the four.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Method {
    TextualInversion,
    DreamBooth,
    CustomDiffusion,
    Lora,
}

impl Method {
    pub(crate) const ALL: [Self; 4] = [
        Self::TextualInversion,
        Self::DreamBooth,
        Self::CustomDiffusion,
        Self::Lora,
    ];

    /// Trains on two photos, with two class images where the method knows them.
    pub(crate) fn train(
        self,
        recipe: Recipe,
        resume: Option<TrainingState>,
        watch: &mut Recorder,
    ) -> vico_engine::Result<Adapter> {
        self.train_on(base(), recipe, resume, watch)
    }

    /// The same on another base model.
    pub(crate) fn train_on(
        self,
        base: &BaseModel,
        recipe: Recipe,
        resume: Option<TrainingState>,
        watch: &mut Recorder,
    ) -> vico_engine::Result<Adapter> {
        let (references, class_images) = (photos(0..2), photos(2..4));
        let prior = Prior {
            images: &class_images,
            prompt: "a photo of a dog",
            weight: 0.5,
        };
        let material = (references.as_slice(), Some(prior));
        match self {
            Self::TextualInversion => {
                let spec = textual_inversion_spec(recipe, 2);
                textual_inversion::train(base, &spec, &references, resume, watch)
            }
            Self::DreamBooth => dreambooth::train(base, &dreambooth_spec(recipe), material, resume, watch),
            Self::CustomDiffusion => {
                let spec = custom_diffusion_spec(recipe);
                custom_diffusion::train(base, &spec, material, resume, watch)
            }
            Self::Lora => lora::train(base, &lora_spec(recipe), material, resume, watch),
        }
    }

    /// The training that all tests agree on, kept from one to the next.
    pub(crate) fn trained(self) -> Adapter {
        static TRAINED: [OnceLock<Adapter>; 4] = [const { OnceLock::new() }; 4];
        let train = || self.train(recipe(2), None, &mut Recorder::default()).unwrap();
        TRAINED[self as usize].get_or_init(train).clone()
    }

    /// A prompt about the concept.
    pub(crate) fn prompt(self) -> &'static str {
        match self {
            Self::TextualInversion | Self::CustomDiffusion => "a red *",
            Self::DreamBooth | Self::Lora => "a red sks dog",
        }
    }
}

pub(crate) fn textual_inversion_spec(recipe: Recipe, vectors: usize) -> TextualInversionSpec {
    TextualInversionSpec {
        recipe,
        lr_embedding: 5e-3,
        vectors,
        placeholder: "*".to_owned(),
        initializer: "dog".to_owned(),
        checkpointing: Checkpointing::Off,
    }
}

pub(crate) fn dreambooth_spec(recipe: Recipe) -> DreamBoothSpec {
    DreamBoothSpec {
        recipe,
        lr_unet: 1e-4,
        lr_text_encoder: Some(1e-4),
        instance_prompt: "a photo of sks dog".to_owned(),
    }
}

pub(crate) fn custom_diffusion_spec(recipe: Recipe) -> CustomDiffusionSpec {
    CustomDiffusionSpec {
        recipe,
        lr_cross_attention: 1e-4,
        lr_embedding: 1e-3,
        placeholder: "*".to_owned(),
        initializer: "dog".to_owned(),
        instance_prompt: "photo of a * dog".to_owned(),
        augmentation: true,
    }
}

pub(crate) fn lora_spec(recipe: Recipe) -> LoraSpec {
    LoraSpec {
        recipe,
        lr: 1e-3,
        rank: 2,
        alpha: 4.0,
        targets: TARGETS.map(str::to_owned).into(),
        instance_prompt: "a photo of sks dog".to_owned(),
    }
}

pub(crate) fn sample_spec(prompt: &str) -> SampleSpec {
    let image = |image| NoiseKey {
        seed: 5,
        concept: "dog5".to_owned(),
        prompt: prompt.to_owned(),
        image,
    };
    SampleSpec {
        prompt: prompt.to_owned(),
        negative_prompt: String::new(),
        steps: 2,
        eta: 0.0,
        guidance: 7.5,
        size: SIZE,
        images: (0..2).map(image).collect(),
        batch: 2,
    }
}

/// Lets everything run and keeps the reports, and the last state if asked to stop.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) reports: Vec<TrainReport>,
    pub(crate) stop_after: Option<usize>,
    pub(crate) state: Option<TrainingState>,
}

impl Watch for Recorder {
    fn after_step(
        &mut self,
        report: &TrainReport,
        state: &dyn Fn() -> vico_engine::Result<TrainingState>,
    ) -> Next {
        self.reports.push(report.clone());
        if self.stop_after != Some(report.step) {
            return Next::Continue;
        }
        self.state = Some(state().unwrap());
        Next::Stop
    }
}

impl SampleWatch for Recorder {
    fn after_denoise_step(&mut self, _done: usize, _of: usize) -> Next {
        Next::Continue
    }
}

/// The largest absolute element; NaN if there is one.
pub(crate) fn largest(tensor: &Tensor) -> f32 {
    let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::abs).max_by(f32::total_cmp).unwrap()
}
