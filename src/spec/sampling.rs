//! Prompts and the sampler's settings.

use serde::{Deserialize, Serialize};

/// A prompt with its subject slot, as the prompt set has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PromptSpec(pub String);

impl PromptSpec {
    /// The prompt with `{}` replaced by `subject`.
    pub fn fill(&self, subject: &str) -> String {
        self.0.replace("{}", subject)
    }
}

/// How images are drawn (DDIM).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamplingSpec {
    /// Denoise steps.
    pub steps: u32,
    /// Stochasticity of DDIM; 0 is deterministic.
    pub eta: f64,
    /// Classifier-free guidance scale.
    pub guidance: f64,
    /// Image side in pixels.
    pub size: u32,
    /// Images drawn per prompt.
    pub images_per_prompt: u32,
    /// The unconditional half's text.
    pub negative_prompt: String,
    /// Base of every starting noise; the same for every method, so that images can be compared in pairs.
    pub seed: u64,
}
