//! ViCo's settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// The values of the official `v1-finetune.yaml` on the authors' 4 GPUs (0.005 × 4 for the embedding); 400 is the step of
/// the published samples.
impl Default for VicoSettings {
    fn default() -> Self {
        Self {
            subject: "{token}".to_owned(),
            steps: 400,
            batch: 4,
            lr_embedding: 0.02,
            lr_image_attention: 1e-5,
            weight_decay: 0.01,
            reg_weight: 5e-4,
            mask: true,
            reference_policy: ReferencePolicy::Fixed,
            reference_index: 0,
        }
    }
}
