//! The real engine: maps what a job asks for to `vico_engine`, and keeps models loaded between jobs.
//!
//! The base model and the evaluators used last stay in memory; a job that needs others makes them go first, so
//! that never two of a kind are held.

mod artist;
mod captions;
mod class_images;
mod classify;
pub mod exchange;
mod folder;
mod health;
mod lesson;
mod sample;
mod score;
mod scoring;
mod train;

use candle_core::Device;
use vico::digest::Digest;
use vico::job::{Failure, FailureClass};
use vico::spec::{EvaluatorInputs, ModelInputs, Precision, algorithm};
use vico_engine::base_model::BaseModel;
use vico_engine::image::{Limits, Rgb8, decode, is_turned};
use vico_engine::metrics::Evaluators;
use vico_engine::weights;

use super::{Ended, Engine, ModelFolder, NamedBytes, ScoreWork, StageWork, Watch, Work};
use crate::device::ComputeDevice;
use classify::{base_failure, evaluators_failure, failure};

pub use folder::{FolderScorer, Subject};
pub use scoring::Scored;
pub use vico_engine::metrics::{EvaluatorDirs, FileFormat};

/// See the module.
pub struct CandleEngine {
    device: Device,
    base: Option<(ModelInputs, BaseModel)>,
    evaluators: Option<(EvaluatorInputs, Evaluators)>,
}

/// How much of a batch is in memory at once.
#[derive(Clone, Copy, Debug)]
struct Memory {
    /// How often out of memory struck the job.
    halvings: u32,
    /// On a CPU a larger batch in memory gains no time, and running out of memory kills the process.
    on_cpu: bool,
}

impl CandleEngine {
    /// An engine on `device`, with nothing loaded.
    ///
    /// # Errors
    /// The device cannot be opened.
    pub fn new(device: &ComputeDevice) -> Result<Self, Failure> {
        let device = match &device.gpu {
            None => Device::Cpu,
            Some(gpu) => Device::new_cuda(gpu.number as usize)
                .map_err(|error| failure("opening the GPU", error.into()))?,
        };
        Ok(Self {
            device,
            base: None,
            evaluators: None,
        })
    }

    fn base(&mut self, folder: &ModelFolder, watch: &Watch) -> Result<&BaseModel, Failure> {
        if self.base.as_ref().is_none_or(|(model, _)| *model != folder.model) {
            self.base = None;
            watch.log(format!(
                "loading the base model {}",
                folder.model.identity.short()
            ));
            let precision = folder.model.precision.map(precision);
            let variant = folder.model.variant.as_deref();
            let loaded = BaseModel::load_in(precision, &folder.path, variant, &self.device);
            self.base = Some((folder.model.clone(), loaded.map_err(base_failure)?));
        }
        let (_, base) = self.base.as_ref().expect("loaded just above");
        Ok(base)
    }

    fn evaluators(&mut self, work: &ScoreWork, watch: &Watch) -> Result<&Evaluators, Failure> {
        let wanted = &work.inputs.evaluators;
        if self
            .evaluators
            .as_ref()
            .is_none_or(|(models, _)| models != wanted)
        {
            self.evaluators = None;
            watch.log("loading the networks that measure");
            let dirs = EvaluatorDirs {
                clip: &work.clip.path,
                tokenizer: &work.clip.path,
                dino: &work.dino.path,
                lpips: work.lpips.as_ref().map(|folder| folder.path.as_path()),
            };
            let loaded = Evaluators::load(&dirs, &self.device);
            self.evaluators = Some((wanted.clone(), loaded.map_err(evaluators_failure)?));
        }
        let (_, evaluators) = self.evaluators.as_ref().expect("loaded just above");
        Ok(evaluators)
    }
}

impl Engine for CandleEngine {
    fn execute(&mut self, work: Work, watch: &mut Watch) -> Result<Ended, Failure> {
        let memory = Memory {
            halvings: work.memory_halvings,
            on_cpu: self.device.is_cpu(),
        };
        match work.stage {
            StageWork::ClassImages(drawn) => {
                check_version(
                    "drawing class images",
                    drawn.inputs.algorithm,
                    algorithm::CLASS_IMAGES,
                )?;
                let base = self.base(&drawn.base, watch)?;
                class_images::draw(base, (work.job, &drawn), memory, watch)
            }
            StageWork::Train(train) => {
                let built = algorithm::train(train.inputs.method.method());
                check_version("training", train.inputs.algorithm, built)?;
                let base = self.base(&train.base, watch)?;
                train::train(base, train, memory, watch)
            }
            StageWork::Sample(sample) => {
                check_version("sampling", sample.inputs.algorithm, algorithm::SAMPLE)?;
                let base = self.base(&sample.base, watch)?;
                sample::sample(base, (work.job, &sample), memory, watch)
            }
            StageWork::Score(score) => {
                check_version("scoring", score.inputs.algorithm, algorithm::SCORE)?;
                score::score(self.evaluators(&score, watch)?, &score, watch)
            }
        }
    }

    fn loaded(&self) -> Vec<Digest> {
        let base = self.base.iter().flat_map(|(model, _)| model.loaded());
        let evaluators = self
            .evaluators
            .iter()
            .flat_map(|(models, _)| models.models().flat_map(ModelInputs::loaded));
        base.chain(evaluators).collect()
    }
}

fn precision(asked: Precision) -> weights::Precision {
    match asked {
        Precision::F32 => weights::Precision::F32,
        Precision::Bf16 => weights::Precision::Bf16,
    }
}

/// A job keyed for another version of an algorithm must not get this version's result.
fn check_version(stage: &str, asked: u32, built: u32) -> Result<(), Failure> {
    if asked == built {
        return Ok(());
    }
    let class = FailureClass::VersionMismatch;
    let message = format!("the job asks for version {asked} of {stage}, this worker has version {built}");
    Err(Failure { class, message })
}

/// Pictures of files; a file that is none is named.
fn pictures(files: &[NamedBytes]) -> Result<Vec<Rgb8>, Failure> {
    let picture = |file: &NamedBytes| {
        let decoded = decode(&file.bytes, &Limits::default());
        decoded.map_err(|error| failure(&format!("reading `{}`", file.name), error.into()))
    };
    files.iter().map(picture).collect()
}

/// Pictures of a concept's photos, with a line in the log for each that is turned: Pillow and the published scripts take it as
/// it is stored, so that numbers made with them are of another picture.
fn photos(files: &[NamedBytes], watch: &Watch) -> Result<Vec<Rgb8>, Failure> {
    for file in files.iter().filter(|file| is_turned(&file.bytes)) {
        watch.log(format!("`{}` is turned as its EXIF tag says", file.name));
    }
    pictures(files)
}
