//! The inputs of each stage: exactly what its result depends on. What the jobs of a plan have in common they share.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ids::{ConceptId, JobKey};
use crate::job::{Outputs, Stage};
use crate::spec::sampling::is_zero;
use crate::spec::{MethodSpec, PromptSpec, SamplingSpec};

/// Everything a job's result depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum JobInputs {
    /// See [`ClassImagesInputs`].
    ClassImages(ClassImagesInputs),
    /// See [`TrainInputs`].
    Train(TrainInputs),
    /// See [`SampleInputs`].
    Sample(SampleInputs),
    /// See [`ScoreInputs`].
    Score(ScoreInputs),
}

impl JobInputs {
    /// What the job makes.
    pub fn outputs(&self) -> Outputs {
        match self {
            Self::ClassImages(inputs) => Outputs::ClassImages(inputs.count),
            Self::Train(_) => Outputs::Adapter,
            Self::Sample(inputs) => Outputs::Images {
                prompts: inputs.prompts.len() as u32,
                samples: inputs.sampling.images_per_prompt,
                prior: inputs.sampling.prior_images,
            },
            Self::Score(_) => Outputs::Scores,
        }
    }

    /// The stage these are inputs of.
    pub fn stage(&self) -> Stage {
        match self {
            Self::ClassImages(_) => Stage::ClassImages,
            Self::Train(_) => Stage::Train,
            Self::Sample(_) => Stage::Sample,
            Self::Score(_) => Stage::Score,
        }
    }

    /// The job's identity: the digest of these inputs in canonical JSON.
    pub fn key(&self) -> Result<JobKey, serde_json::Error> {
        Digest::of_json(self).map(JobKey)
    }

    /// The jobs whose outputs are read.
    pub fn upstream(&self) -> Vec<JobKey> {
        match self {
            Self::ClassImages(_) => Vec::new(),
            Self::Train(inputs) => inputs.class_images.into_iter().collect(),
            Self::Sample(inputs) => inputs.train.into_iter().collect(),
            Self::Score(inputs) => vec![inputs.sample],
        }
    }
}

/// A model by content: the digest of the sorted list of (path, digest) of its files.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelInputs {
    /// Digest over all files.
    pub identity: Digest,
    /// `fp16` and the like; `None` for the plain files.
    pub variant: Option<String>,
    /// What a base model's U-Net is kept in; `None` for what its files hold, and on a CPU f32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
}

impl ModelInputs {
    /// What a worker has at hand whose engine has loaded the model: the network, and the files it was read from. The
    /// same files in another precision are another network, which has to go before this one is loaded.
    pub fn loaded(&self) -> [Digest; 2] {
        let Self {
            identity,
            variant,
            precision,
        } = self;
        // All that an engine compares. Not as JSON, which takes longer, and every job of a plan asks.
        let network = format!("network {identity} {variant:?} {precision:?}");
        [Digest::of(network.as_bytes()), *identity]
    }
}

/// What the frozen matrices of a U-Net are kept in, and what they are multiplied with is rounded to. What is trained is f32, and
/// so are sums and, between operators, activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 24 significant bits.
    F32,
    /// 8 significant bits: half the memory, and faster where the hardware knows it.
    Bf16,
}

/// One reference image by content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInput {
    /// File name without folders, for messages and reports.
    pub name: String,
    /// BLAKE3 of the file's bytes.
    pub digest: Digest,
}

/// The thing being personalised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConceptInputs {
    /// Its id; part of every noise key.
    pub id: ConceptId,
    /// Reference images, in the order of their names.
    pub images: Vec<ImageInput>,
    /// The class word, `teddy bear`.
    pub class: String,
    /// The word that the placeholder starts from; a single CLIP token.
    pub initializer: String,
    /// The new word in prompts, `*`.
    pub placeholder: String,
}

/// What drawing class images depends on: nothing of any concept or method, so that all who need the same share them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassImagesInputs {
    /// [`crate::spec::algorithm::CLASS_IMAGES`].
    pub algorithm: u32,
    /// The base model, which draws them as it is.
    pub base: ModelInputs,
    /// The prompt with the class word filled in, `a photo of a toy`.
    pub prompt: String,
    /// How many.
    pub count: u32,
    /// Denoise steps.
    pub steps: u32,
    /// Classifier-free guidance scale; the other half's text is empty.
    pub guidance: f64,
    /// Stochasticity of DDIM; 0 is deterministic.
    pub eta: f64,
    /// Image side in pixels.
    pub size: u32,
    /// Base of every starting noise.
    pub seed: u64,
}

/// What training an adapter depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainInputs {
    /// [`crate::spec::algorithm::train`] of the method.
    pub algorithm: u32,
    /// The base model.
    pub base: ModelInputs,
    /// The concept.
    pub concept: Arc<ConceptInputs>,
    /// The method with all its settings.
    pub method: MethodSpec,
    /// The job that draws the class images, for a method with a prior loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_images: Option<JobKey>,
    /// Image side in pixels.
    pub size: u32,
    /// Seed of every draw in training.
    pub seed: u64,
}

/// What drawing the evaluation images depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleInputs {
    /// [`crate::spec::algorithm::SAMPLE`].
    pub algorithm: u32,
    /// The base model.
    pub base: ModelInputs,
    /// The job that made the adapter; `None` where the base model draws as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<JobKey>,
    /// The concept; its images because ViCo samples with one of them in view.
    pub concept: Arc<ConceptInputs>,
    /// How `{}` in prompts is filled and which reference is shown.
    pub method: MethodSpec,
    /// Prompts in order; their position is `pNN` in file names.
    pub prompts: Arc<[PromptSpec]>,
    /// The sampler's settings.
    pub sampling: SamplingSpec,
}

/// The networks that measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluatorInputs {
    /// CLIP, image and text towers.
    pub clip: ModelInputs,
    /// DINO.
    pub dino: ModelInputs,
    /// LPIPS, where its weights are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lpips: Option<ModelInputs>,
}

impl EvaluatorInputs {
    /// All of them.
    pub fn models(&self) -> impl Iterator<Item = &ModelInputs> {
        [&self.clip, &self.dino].into_iter().chain(&self.lpips)
    }
}

/// What measuring depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreInputs {
    /// [`crate::spec::algorithm::SCORE`].
    pub algorithm: u32,
    /// The job that made the images.
    pub sample: JobKey,
    /// The concept: its references and class word.
    pub concept: Arc<ConceptInputs>,
    /// Prompts as sampled.
    pub prompts: Arc<[PromptSpec]>,
    /// Images per prompt.
    pub images_per_prompt: u32,
    /// Images of the bare class word.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub prior_images: u32,
    /// The networks.
    pub evaluators: EvaluatorInputs,
    /// Names of the metric protocols, e.g. `bench-v1`.
    pub protocols: Vec<String>,
}
