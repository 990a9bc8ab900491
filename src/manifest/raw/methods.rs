//! Methods as they are written. One struct for all methods: which keys a method takes, and what the absent ones mean,
//! is told in [`crate::manifest::methods`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::{LoraTarget, ReferencePolicy};

/// A configured method. Each takes its own keys; one of another method is an error.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMethod {
    /// The method; `base_model` learns nothing and draws the concept by its class word, to compare the others with.
    #[schemars(extend("enum" = ["vico", "textual_inversion", "dreambooth", "custom_diffusion", "lora", "base_model"]))]
    pub method: String,
    /// What `{}` in prompts becomes; `{token}` is the placeholder, `{class}` the class word. Without: `{token}` for
    /// vico and textual_inversion, `{token} {class}` for custom_diffusion, `sks {class}` for dreambooth and lora,
    /// `{class}` for base_model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub subject: Option<String>,
    /// Train steps. Without: vico 400, textual_inversion 3000, dreambooth 800, custom_diffusion 500, lora 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = 1_000_000))]
    pub steps: Option<u32>,
    /// Effective batch; how it is split over memory or GPUs never changes it. A prior loss adds as many class images.
    /// Without: vico 4, textual_inversion 4, dreambooth 1, custom_diffusion 2, lora 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = 1024))]
    pub batch: Option<u32>,
    /// Effective learning rates.
    #[serde(default)]
    pub lr: RawLr,
    /// AdamW's decoupled weight decay, on all groups. Without: 0.01.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 1))]
    pub weight_decay: Option<f64>,
    /// The gradient is scaled down to this L2 norm; for dreambooth, custom_diffusion and lora. Without: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0.000_001, max = 1_000_000))]
    pub max_grad_norm: Option<f64>,
    /// Weight of the attention regulariser; for vico. Without: 5e-4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 1000))]
    pub reg_weight: Option<f64>,
    /// Whether Otsu's mask restricts the image cross-attention; for vico. Without: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub mask: Option<bool>,
    /// Which reference image is shown while sampling; for vico.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RawReference")]
    pub reference: Option<RawReference>,
    /// Embedding vectors that the placeholder stands for; for textual_inversion. Without: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = 32))]
    pub vectors: Option<u32>,
    /// Whether the text encoder is trained too; for dreambooth. Without: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub text_encoder: Option<bool>,
    /// Whether photos are shown at random scales; for custom_diffusion. Without: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub augmentation: Option<bool>,
    /// Rank of every update; for lora. Without: 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = 320))]
    pub rank: Option<u32>,
    /// An update counts `alpha / rank` times; for lora. Without: 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 10_000))]
    pub alpha: Option<f64>,
    /// Attention projections that are updated; for lora. Without: all four.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<LoraTarget>", length(min = 1))]
    pub targets: Option<Vec<LoraTarget>>,
    /// The prior loss on class images; for dreambooth, custom_diffusion and lora (off there, unless a weight is given).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RawPrior")]
    pub prior: Option<RawPrior>,
}

/// Effective learning rates; nothing multiplies them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawLr {
    /// Of the placeholder's embedding. Without: vico 0.02 (the authors' 0.005 on 4 GPUs), textual_inversion 0.002,
    /// custom_diffusion 4e-5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 10))]
    pub embedding: Option<f64>,
    /// Of the image cross-attention; for vico. Without: 1e-5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 10))]
    pub image_attention: Option<f64>,
    /// Of the U-Net; for dreambooth. Without: 2e-6.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 10))]
    pub unet: Option<f64>,
    /// Of the text encoder; for dreambooth with `text_encoder: true`. Without: 2e-6.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 10))]
    pub text_encoder: Option<f64>,
    /// Of the keys and values of the text cross-attention; for custom_diffusion. Without: 4e-5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 10))]
    pub cross_attention: Option<f64>,
    /// Of the low-rank updates; for lora. Without: 1e-4.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 10))]
    pub lora: Option<f64>,
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

/// The prior loss: pictures of the bare class word, which the base model draws once for all who need the same.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawPrior {
    /// Weight of the prior loss; 0 for none, and then no class images are made. Without: 1, for lora 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 1000))]
    pub weight: Option<f64>,
    /// How many class images are drawn. Without: 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = 10_000))]
    pub class_images: Option<u32>,
    /// Their prompt, with `{class}` for the class word. Without: `a photo of a {class}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1))]
    pub prompt: Option<String>,
    /// Denoise steps. Without: 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = 1000))]
    pub steps: Option<u32>,
    /// Classifier-free guidance scale. Without: 7.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 1000))]
    pub guidance: Option<f64>,
    /// Stochasticity of DDIM. Without: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 1))]
    pub eta: Option<f64>,
    /// Seed of their starting noise. Without: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub seed: Option<u64>,
}
