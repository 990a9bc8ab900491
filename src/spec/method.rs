//! Methods and their effective settings. Nothing is scaled behind the user's back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A method that can be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum MethodSpec {
    /// ViCo (arXiv 2306.00971).
    Vico(VicoSettings),
}

impl MethodSpec {
    /// The word used in manifests.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Vico(_) => "vico",
        }
    }

    /// What `{}` in a prompt becomes, before `{token}` and `{class}` are filled in.
    pub fn subject(&self) -> &str {
        match self {
            Self::Vico(settings) => &settings.subject,
        }
    }

    /// Train steps.
    pub fn steps(&self) -> u32 {
        match self {
            Self::Vico(settings) => settings.steps,
        }
    }
}

/// Which reference image ViCo sees while sampling; the paper does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReferencePolicy {
    /// Always the image at `index`.
    #[default]
    Fixed,
    /// Prompt `i` sees image `i` modulo their number.
    Cycle,
}

/// ViCo's settings (paper section 3, official `v1-finetune.yaml`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VicoSettings {
    /// What `{}` becomes; `{token}` stands for the placeholder.
    pub subject: String,
    /// Train steps.
    pub steps: u32,
    /// Effective batch.
    pub batch: u32,
    /// Learning rate of the placeholder's embedding.
    pub lr_embedding: f64,
    /// Learning rate of the image cross-attention.
    pub lr_image_attention: f64,
    /// AdamW's decoupled weight decay, on both groups.
    pub weight_decay: f64,
    /// Weight of the attention regulariser.
    pub reg_weight: f64,
    /// Whether Otsu's mask restricts the image cross-attention.
    pub mask: bool,
    /// Which reference is shown while sampling.
    pub reference_policy: ReferencePolicy,
    /// Its position, for [`ReferencePolicy::Fixed`].
    pub reference_index: u32,
}
