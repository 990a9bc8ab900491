//! Methods as they are written. One struct for all methods; which keys a method uses is checked afterwards.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::ReferencePolicy;

/// A configured method.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMethod {
    /// The method.
    #[schemars(extend(
        "enum" = ["vico"],
        "x-planned" = ["textual_inversion", "dreambooth", "custom_diffusion", "lora"],
    ))]
    pub method: String,
    /// What `{}` in prompts becomes; `{token}` is the placeholder, `{class}` the class word.
    #[serde(default = "default_subject")]
    pub subject: String,
    /// Train steps.
    #[serde(default = "default_steps")]
    #[schemars(range(min = 1, max = 1000000))]
    pub steps: u32,
    /// Effective batch; how it is split over memory or GPUs never changes it.
    #[serde(default = "default_batch")]
    #[schemars(range(min = 1, max = 1024))]
    pub batch: u32,
    /// Effective learning rates.
    #[serde(default)]
    pub lr: RawLr,
    /// AdamW's decoupled weight decay, on both groups.
    #[serde(default = "default_weight_decay")]
    #[schemars(range(min = 0, max = 1))]
    pub weight_decay: f64,
    /// Weight of the attention regulariser.
    #[serde(default = "default_reg_weight")]
    #[schemars(range(min = 0, max = 1000))]
    pub reg_weight: f64,
    /// Whether Otsu's mask restricts the image cross-attention.
    #[serde(default = "default_mask")]
    pub mask: bool,
    /// Which reference image is shown while sampling.
    #[serde(default)]
    pub reference: RawReference,
}

/// Effective learning rates of ViCo; nothing multiplies them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawLr {
    /// Of the placeholder's embedding. The authors' 0.005 on 4 GPUs.
    #[schemars(range(min = 0, max = 10))]
    pub embedding: f64,
    /// Of the image cross-attention.
    #[schemars(range(min = 0, max = 10))]
    pub image_attention: f64,
}

impl Default for RawLr {
    fn default() -> Self {
        Self {
            embedding: 0.02,
            image_attention: 1e-5,
        }
    }
}

/// Which reference image ViCo sees while sampling; the paper does not say.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawReference {
    /// `fixed`: always the same one; `cycle`: each prompt the next one.
    pub policy: ReferencePolicy,
    /// Which one, from 0 in the order of file names; for `fixed`.
    pub index: u32,
}

fn default_subject() -> String {
    "{token}".to_owned()
}

// The values of the official `v1-finetune.yaml`; 400 is the step of the published samples.
fn default_steps() -> u32 {
    400
}

fn default_batch() -> u32 {
    4
}

fn default_weight_decay() -> f64 {
    0.01
}

fn default_reg_weight() -> f64 {
    5e-4
}

fn default_mask() -> bool {
    true
}
