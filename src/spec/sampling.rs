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

/// What is drawn for [`SamplingSpec::prior_images`], with the class word filled in: the base model's words for any
/// thing of the class, without the concept.
pub fn prior_prompt(class: &str) -> String {
    format!("a photo of a {class}")
}

/// A field that older documents lack keeps their digest where it says nothing.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
pub(super) fn is_zero(number: &u32) -> bool {
    *number == 0
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
    /// Images of the bare class word that the personalised model draws besides; on them it is measured what training
    /// has done to the class (DreamBooth's PRES). 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub prior_images: u32,
    /// Base of every starting noise; the same for every method, so that images can be compared in pairs.
    pub seed: u64,
}

impl SamplingSpec {
    /// Images over all of this many prompts, and of the class word.
    pub fn images_of(&self, prompts: usize) -> u64 {
        prompts as u64 * u64::from(self.images_per_prompt) + u64::from(self.prior_images)
    }
}
