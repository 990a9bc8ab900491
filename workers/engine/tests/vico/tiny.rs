//! The tiny Stable Diffusion of the fixtures, and requests that fit it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use candle_core::{Device, Tensor, Var};
use vico_engine::base_model::BaseModel;
use vico_engine::diffusion::{NoiseKey, Purpose};
use vico_engine::image::{Limits, Rgb8, decode};
use vico_engine::methods::Next;
use vico_engine::methods::sampling::{SampleSpec, SampleWatch};
use vico_engine::methods::training::{TrainReport, TrainingState, Watch};
use vico_engine::methods::vico::VicoSpec;
use vico_engine::methods::vico::branches::Columns;
use vico_engine::methods::vico::ica::ImageAttention;
use vico_engine::methods::vico::learned::Learned;
use vico_engine::methods::vico::pass::Batch;
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
pub(crate) fn photos(count: usize) -> Vec<Rgb8> {
    let read = |i| std::fs::read(fixture(&format!("metrics/photos/{i}.png"))).unwrap();
    (0..count)
        .map(|i| decode(&read(i), &Limits::default()).unwrap())
        .collect()
}

pub(crate) fn spec() -> VicoSpec {
    VicoSpec {
        steps: 2,
        batch: 1,
        micro_batch: 1,
        lr_embedding: 5e-3,
        lr_image_attention: 1e-5,
        weight_decay: 0.01,
        reg_weight: 5e-4,
        use_mask: true,
        placeholder: "*".to_owned(),
        initializer: "dog".to_owned(),
        image_size: SIZE,
        seed: 23,
        concept: "dog5".to_owned(),
        checkpointing: Checkpointing::Off,
    }
}

/// A trained concept with every tensor at its start value, as variables.
pub(crate) struct Concept {
    pub(crate) learned: Learned,
    pub(crate) embedding: Var,
    pub(crate) blocks: Vec<(String, Var)>,
}

pub(crate) fn concept() -> Concept {
    let mut blocks = Vec::new();
    let image_attention = ImageAttention::new(&base().unet.config().sites(), |parameter| {
        let value = Var::from_tensor(&parameter.initial(1, "dog5", &Device::Cpu)?)?;
        blocks.push((parameter.name.clone(), value.clone()));
        Ok(value.into_inner())
    })
    .unwrap();
    let dog = base().tokenizer.single_token("dog").unwrap().unwrap();
    let embedding = Var::from_tensor(&base().text.embedding(dog).unwrap().unsqueeze(0).unwrap()).unwrap();
    let learned = Learned {
        placeholder: base().tokenizer.single_token("*").unwrap().unwrap(),
        embedding: embedding.as_tensor().clone(),
        image_attention,
        use_mask: true,
    };
    Concept {
        learned,
        embedding,
        blocks,
    }
}

pub(crate) fn key(image: u64) -> NoiseKey {
    NoiseKey {
        seed: 5,
        concept: "dog5".to_owned(),
        prompt: "a red *".to_owned(),
        image,
    }
}

pub(crate) fn normal(purpose: Purpose, rows: usize) -> Tensor {
    let rows: Vec<Tensor> = (0..rows)
        .map(|i| {
            key(i as u64)
                .stream(purpose, 0)
                .normal((4, 16, 16), &Device::Cpu)
                .unwrap()
        })
        .collect();
    Tensor::stack(&rows, 0).unwrap()
}

/// Two samples with different images, captions (so different columns) and time steps.
pub(crate) fn batch() -> Batch {
    let encode = |caption: &str| base().tokenizer.encode(caption).unwrap();
    let captions = [encode("a photo of a *"), encode("a close-up photo of the *")];
    let columns = |placeholder, end_of_text| Columns {
        placeholder,
        end_of_text,
    };
    Batch {
        clean: normal(Purpose::TargetPosterior, 2),
        noise: normal(Purpose::TrainNoise, 2),
        reference: normal(Purpose::ReferencePosterior, 2),
        timesteps: vec![300, 700],
        ids: captions.map(|caption| caption.ids).into(),
        columns: vec![columns(5, 6), columns(8, 9)],
    }
}

/// Sample `row` of a batch alone.
pub(crate) fn alone(batch: &Batch, row: usize) -> Batch {
    let part = |tensor: &Tensor| tensor.narrow(0, row, 1).unwrap();
    Batch {
        clean: part(&batch.clean),
        noise: part(&batch.noise),
        reference: part(&batch.reference),
        timesteps: vec![batch.timesteps[row]],
        ids: vec![batch.ids[row].clone()],
        columns: vec![batch.columns[row]],
    }
}

pub(crate) fn sample_spec(images: u64) -> SampleSpec {
    SampleSpec {
        prompt: "a red *".to_owned(),
        negative_prompt: String::new(),
        steps: 4,
        eta: 0.0,
        guidance: 7.5,
        size: SIZE,
        images: (0..images).map(key).collect(),
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
    fn after_denoise_step(&mut self, done: usize, _of: usize) -> Next {
        if self.stop_after == Some(done) {
            Next::Stop
        } else {
            Next::Continue
        }
    }
}

/// The largest absolute element; NaN if there is one, which candle's `max` passes over.
pub(crate) fn largest(tensor: &Tensor) -> f32 {
    let values = values(tensor).into_iter();
    values.map(f32::abs).max_by(f32::total_cmp).unwrap()
}

/// The largest difference relative to the largest element of `want`.
pub(crate) fn relative(got: &Tensor, want: &Tensor) -> f32 {
    largest(&(got - want).unwrap()) / largest(want)
}

pub(crate) fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}
