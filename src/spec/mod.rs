//! What a job reads, already proved valid. A job's key is the digest of its [`JobInputs`] and of nothing else.
//!
//! Where bytes can be fetched ([`Sources`]) is kept apart: moving a bucket must not change a key.

mod inputs;
mod method;
mod sampling;
mod sources;

pub use inputs::{
    ClassImagesInputs, ConceptInputs, EvaluatorInputs, ImageInput, JobInputs, ModelInputs, Precision,
    SampleInputs, ScoreInputs, TrainInputs,
};
pub use method::{
    BaseModelSettings, CustomDiffusionSettings, DreamboothSettings, LoraSettings, LoraTarget, MethodName,
    MethodSpec, PriorSettings, ReferencePolicy, TextualInversionSettings, VicoSettings,
};
pub use sampling::{PromptSpec, SamplingSpec, prior_prompt};
pub use sources::{FileSource, JobSpec, ModelSource, Sources};

/// Versions of the algorithms behind each stage. Raising one re-runs that stage and what depends on it. Kernels that
/// round differently do not raise it.
pub mod algorithm {
    use super::MethodName;

    /// Drawing class images with the base model.
    pub const CLASS_IMAGES: u32 = 1;
    /// Sampling, noise keys and image encoding.
    pub const SAMPLE: u32 = 1;
    /// Preprocessing, networks and formulas of the metric protocols.
    pub const SCORE: u32 = 2;

    /// Training of a method. Custom Diffusion's 2 scales photos with the bilinear filter and mirrors half of the class
    /// images; its 1 took the bicubic filter and mirrored no class image. LoRA's 2 starts its first factor from the normal
    /// distribution, as peft does for diffusers; its 1 took a uniform one, many times narrower. Textual Inversion's 2 draws
    /// from the 27 captions of diffusers' script; its 1 drew from the original code's 81.
    pub const fn train(method: MethodName) -> u32 {
        match method {
            MethodName::TextualInversion | MethodName::CustomDiffusion | MethodName::Lora => 2,
            MethodName::Vico | MethodName::Dreambooth | MethodName::BaseModel => 1,
        }
    }
}
