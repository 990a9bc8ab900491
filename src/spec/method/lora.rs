//! Settings of DreamBooth's training with low-rank updates.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PriorSettings;

/// A projection of every attention of the U-Net, under its name in diffusers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum LoraTarget {
    /// Queries.
    #[serde(rename = "to_q")]
    Query,
    /// Keys.
    #[serde(rename = "to_k")]
    Key,
    /// Values.
    #[serde(rename = "to_v")]
    Value,
    /// Output.
    #[serde(rename = "to_out.0")]
    Output,
}

impl LoraTarget {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Query, Self::Key, Self::Value, Self::Output];

    /// The name in diffusers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "to_q",
            Self::Key => "to_k",
            Self::Value => "to_v",
            Self::Output => "to_out.0",
        }
    }
}

/// DreamBooth's training with low-rank updates of attention projections instead of the whole U-Net.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoraSettings {
    /// What `{}` becomes: a rare word and `{class}`. Training shows "a photo of" it.
    pub subject: String,
    /// Train steps.
    pub steps: u32,
    /// Effective batch; as many class images come on top where there is a prior loss.
    pub batch: u32,
    /// Rank of every update.
    pub rank: u32,
    /// An update counts `alpha / rank` times.
    pub alpha: f64,
    /// What is updated, each once, sorted.
    pub targets: Vec<LoraTarget>,
    /// Learning rate of the updates.
    pub lr_lora: f64,
    /// AdamW's decoupled weight decay.
    pub weight_decay: f64,
    /// The gradient is scaled down to this L2 norm.
    pub max_grad_norm: f64,
    /// The prior loss; `None` without.
    pub prior: Option<PriorSettings>,
}

/// diffusers' `train_dreambooth_lora.py` and its README's example.
impl Default for LoraSettings {
    fn default() -> Self {
        Self {
            subject: "sks {class}".to_owned(),
            steps: 500,
            batch: 1,
            rank: 4,
            alpha: 4.0,
            targets: LoraTarget::ALL.to_vec(),
            lr_lora: 1e-4,
            weight_decay: 0.01,
            max_grad_norm: 1.0,
            prior: None,
        }
    }
}
