//! How images are drawn, as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The samplers there are.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sampler {
    /// Denoising diffusion implicit models (arXiv 2010.02502).
    #[default]
    Ddim,
}

/// How images are drawn; the same for every method.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawSampling {
    /// The sampler.
    pub sampler: Sampler,
    /// Denoise steps.
    #[schemars(range(min = 1, max = 1000))]
    pub steps: u32,
    /// Stochasticity of DDIM; 0 is deterministic.
    #[schemars(range(min = 0, max = 1))]
    pub eta: f64,
    /// Classifier-free guidance scale.
    #[schemars(range(min = 0, max = 1000))]
    pub guidance: f64,
    /// Image side in pixels, in training and sampling; a multiple of 64.
    #[schemars(range(min = 64, max = 2048), extend("multipleOf" = 64))]
    pub size: u32,
    /// Images drawn for each prompt.
    #[schemars(range(min = 1, max = 10000))]
    pub images_per_prompt: u32,
    /// Images that each personalised model draws of `a photo of a {class}`, without the concept: what prior preservation
    /// (`health/prior_preservation`) is measured on. 0 for none.
    #[schemars(range(max = 10000))]
    pub prior_images: u32,
    /// Seeds of the starting noise.
    pub seeds: RawSeeds,
    /// The text of the unconditional half.
    pub negative_prompt: String,
}

impl Default for RawSampling {
    fn default() -> Self {
        Self {
            sampler: Sampler::Ddim,
            steps: 50,
            eta: 0.0,
            guidance: 7.5,
            size: 512,
            images_per_prompt: 8,
            prior_images: 0,
            seeds: RawSeeds::default(),
            negative_prompt: String::new(),
        }
    }
}

/// Seeds of the starting noise: a hash of `base`, concept, prompt and sample, the same for every method.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawSeeds {
    /// Changes all of them.
    pub base: u64,
}
