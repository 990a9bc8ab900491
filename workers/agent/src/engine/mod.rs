//! The seam between a worker and what computes: work goes in with every byte it needs at hand, outputs and checkpoints
//! come out through a [`Watch`].
//!
//! - [`thread`]: the OS thread that owns an engine. - [`watch`]: how a running job is seen and stopped.
//! - [`candle`]: the real engine, over `vico_engine`. - [`cuda`]: which GPU that computes on.

pub mod candle;
pub mod cuda;
pub mod thread;
pub mod watch;

use std::path::PathBuf;

use vico::digest::Digest;
use vico::ids::JobKey;
use vico::job::Failure;
use vico::spec::{ClassImagesInputs, ModelInputs, SampleInputs, ScoreInputs, TrainInputs};

use crate::cache::CachedFile;

pub use thread::EngineThread;
pub use watch::{Checkpoint, Interrupt, Watch};

/// Computes one job at a time; keeps between two jobs what is costly to load.
pub trait Engine {
    /// Does the work, or stops early when `watch` says so. The work is given away, so that what is read once and then
    /// only takes up memory, a checkpoint of gigabytes for one, need not stay until the job ends.
    ///
    /// # Errors
    /// The class of the failure is decided here, where the error is born.
    fn execute(&mut self, work: Work, watch: &mut Watch) -> Result<Ended, Failure>;

    /// [`ModelInputs::loaded`] of every model that is.
    fn loaded(&self) -> Vec<Digest>;
}

/// How a job ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All outputs were handed over.
    Finished,
    /// Asked to stop, it stopped; a train job has handed over a checkpoint if it was asked to leave.
    Stopped,
}

/// A job with all that it reads on this machine.
#[derive(Debug)]
pub struct Work {
    /// The job.
    pub job: JobKey,
    /// How often out of memory struck: the batch in memory is halved that many times.
    pub memory_halvings: u32,
    /// What the stage reads.
    pub stage: StageWork,
}

/// What each stage reads.
#[derive(Debug)]
pub enum StageWork {
    /// Draw class images with the base model.
    ClassImages(ClassImagesWork),
    /// Teach a method one concept.
    Train(TrainWork),
    /// Draw the evaluation images.
    Sample(SampleWork),
    /// Measure the images.
    Score(ScoreWork),
}

/// A model's folder. Its files stay where they are as long as this value lives.
#[derive(Debug)]
pub struct ModelFolder {
    /// Which model.
    pub model: ModelInputs,
    /// Where its files lie.
    pub path: PathBuf,
    /// Keeps cached files from being evicted; empty where the model is read in place.
    pub pins: Vec<CachedFile>,
}

/// A file with the name that messages call it by.
#[derive(Clone, Debug)]
pub struct NamedBytes {
    /// The name.
    pub name: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// All that drawing class images reads.
#[derive(Debug)]
pub struct ClassImagesWork {
    /// What was asked.
    pub inputs: ClassImagesInputs,
    /// The base model.
    pub base: ModelFolder,
}

/// All that training reads.
#[derive(Debug)]
pub struct TrainWork {
    /// What was asked.
    pub inputs: TrainInputs,
    /// The base model.
    pub base: ModelFolder,
    /// The concept's photos as files, in the order of the inputs.
    pub references: Vec<NamedBytes>,
    /// The class images as PNG files, by number; empty for a method without a prior loss.
    pub class_images: Vec<NamedBytes>,
    /// The latest checkpoint of an earlier attempt.
    pub resume: Option<NamedBytes>,
    /// Train steps between two checkpoints; 0 for none but at shutdown.
    pub checkpoint_every: u32,
}

/// All that sampling reads.
#[derive(Debug)]
pub struct SampleWork {
    /// What was asked.
    pub inputs: SampleInputs,
    /// The base model.
    pub base: ModelFolder,
    /// The concept's photos as files, in the order of the inputs.
    pub references: Vec<NamedBytes>,
    /// The adapter file; `None` where the base model draws as it is.
    pub adapter: Option<NamedBytes>,
}

/// All that scoring reads.
#[derive(Debug)]
pub struct ScoreWork {
    /// What was asked.
    pub inputs: ScoreInputs,
    /// CLIP's folder.
    pub clip: ModelFolder,
    /// DINO's folder.
    pub dino: ModelFolder,
    /// LPIPS's folder, where it is asked for.
    pub lpips: Option<ModelFolder>,
    /// The concept's photos as files, in the order of the inputs.
    pub references: Vec<NamedBytes>,
    /// The images as PNG files, ordered by prompt, then sample.
    pub images: Vec<NamedBytes>,
    /// The images of the bare class word; usually none.
    pub prior_images: Vec<NamedBytes>,
}
