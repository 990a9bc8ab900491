//! Custom Diffusion's settings.

use serde::{Deserialize, Serialize};

use super::PriorSettings;

/// Custom Diffusion's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomDiffusionSettings {
    /// What `{}` becomes; `{token}` stands for the placeholder, `{class}` for the class word.
    pub subject: String,
    /// Train steps.
    pub steps: u32,
    /// Effective batch; as many class images come on top where there is a prior loss.
    pub batch: u32,
    /// Learning rate of the keys and values of every text cross-attention.
    pub lr_cross_attention: f64,
    /// Learning rate of the placeholder's embedding.
    pub lr_embedding: f64,
    /// AdamW's decoupled weight decay, on both groups.
    pub weight_decay: f64,
    /// The gradient is scaled down to this L2 norm.
    pub max_grad_norm: f64,
    /// Whether photos are shown at random scales, with words for it in the caption.
    pub augmentation: bool,
    /// The prior loss; `None` without.
    pub prior: Option<PriorSettings>,
}

/// diffusers' `train_custom_diffusion.py` on one GPU: 1e-5 × batch 2 × 2 for the prior's half is 4e-5. The placeholder
/// starts from the concept's own word like that of every other method; upstream starts it from the rare token `ktn`.
impl Default for CustomDiffusionSettings {
    fn default() -> Self {
        Self {
            subject: "{token} {class}".to_owned(),
            steps: 500,
            batch: 2,
            lr_cross_attention: 4e-5,
            lr_embedding: 4e-5,
            weight_decay: 0.01,
            max_grad_norm: 1.0,
            augmentation: true,
            prior: Some(PriorSettings::default()),
        }
    }
}
