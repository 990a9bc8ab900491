//! DreamBooth's settings.

use serde::{Deserialize, Serialize};

use super::PriorSettings;

/// DreamBooth's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DreamboothSettings {
    /// What `{}` becomes: a rare word and `{class}`. Training shows "a photo of" it.
    pub subject: String,
    /// Train steps.
    pub steps: u32,
    /// Effective batch; as many class images come on top where there is a prior loss.
    pub batch: u32,
    /// Learning rate of the whole U-Net.
    pub lr_unet: f64,
    /// Learning rate of the text encoder; `None` where it stays frozen.
    pub lr_text_encoder: Option<f64>,
    /// AdamW's decoupled weight decay, on all groups.
    pub weight_decay: f64,
    /// The gradient is scaled down to this L2 norm.
    pub max_grad_norm: f64,
    /// The prior loss; `None` without.
    pub prior: Option<PriorSettings>,
}

/// diffusers' `train_dreambooth.py` with `--train_text_encoder` and prior loss: the ViCo paper's table 1 counts the U-Net
/// and the text encoder (982.6 M).
impl Default for DreamboothSettings {
    fn default() -> Self {
        Self {
            subject: "sks {class}".to_owned(),
            steps: 800,
            batch: 1,
            lr_unet: 2e-6,
            lr_text_encoder: Some(2e-6),
            weight_decay: 0.01,
            max_grad_norm: 1.0,
            prior: Some(PriorSettings::default()),
        }
    }
}
