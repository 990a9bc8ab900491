//! The settings of a training.

use crate::methods::Error;
use crate::models::unet::Checkpointing;

/// What to train and how (vico-spec §6 has the official values).
#[derive(Clone, Debug, PartialEq)]
pub struct VicoSpec {
    /// Train steps; the published adapters took 300 to 400.
    pub steps: usize,
    /// Samples per train step; 4 corresponds to the authors' four GPUs.
    pub batch: usize,
    /// Samples in memory at once; changes results only by f32 rounding.
    pub micro_batch: usize,
    /// Learning rate of S*: officially 5e-3 times the batch.
    pub lr_embedding: f64,
    /// Learning rate of the image cross-attention: officially 1e-5, whatever the batch.
    pub lr_image_attention: f64,
    /// Decoupled weight decay of everything trained: officially 0.01.
    pub weight_decay: f64,
    /// Weight of the attention regulariser: officially 5e-4.
    pub reg_weight: f64,
    /// Whether only the reference's foreground may be looked at; switched off for ablations.
    pub use_mask: bool,
    /// The word that stands for the concept, one token: officially `*`.
    pub placeholder: String,
    /// The word S* starts from, one token.
    pub initializer: String,
    /// Side of the square the images are squashed to.
    pub image_size: usize,
    /// Seed of every random draw.
    pub seed: u64,
    /// The concept's name, part of the key of every random draw.
    pub concept: String,
    /// What is computed a second time in the backward pass.
    pub checkpointing: Checkpointing,
}

impl VicoSpec {
    pub(super) fn check(&self) -> Result<(), Error> {
        let rates = [
            ("lr_embedding", self.lr_embedding),
            ("lr_image_attention", self.lr_image_attention),
            ("weight_decay", self.weight_decay),
            ("reg_weight", self.reg_weight),
        ];
        for (name, value) in rates {
            if !value.is_finite() || value < 0.0 {
                let expected = "a finite number of at least 0".to_owned();
                return Err(Error::Setting {
                    name,
                    expected,
                    got: value.to_string(),
                });
            }
        }
        if self.image_size == 0 || !self.image_size.is_multiple_of(64) {
            let (expected, got) = ("a multiple of 64".to_owned(), self.image_size.to_string());
            return Err(Error::Setting {
                name: "image_size",
                expected,
                got,
            });
        }
        Ok(())
    }
}
