//! The loss of plain diffusion training: predict the noise in noised latents (vico-spec §5, §9).

use candle_core::{Result as TensorResult, Tensor};

use crate::base_model::BaseModel;
use crate::models::unet::{PlainSd, UNet};

/// Some training samples with every random draw made.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Scaled latents, (b, 4, h, w).
    pub clean: Tensor,
    /// ε, (b, 4, h, w).
    pub noise: Tensor,
    /// One per sample.
    pub timesteps: Vec<usize>,
    /// Captions as 77 token ids each.
    pub ids: Vec<Vec<u32>>,
    /// Where the loss counts in the first a samples, (a, 1, h, w); elsewhere it counts everywhere.
    pub mask: Option<Tensor>,
}

/// What a forward pass computed.
#[derive(Debug)]
pub struct Pass {
    /// The predicted noise, (b, 4, h, w).
    pub predicted: Tensor,
    /// The loss per sample, (b): the mean square error, or for masked samples Σ mask·error² / Σ mask, whose numerator sums
    /// over four channels while the mask has one (diffusers `train_custom_diffusion.py:1146-1150`).
    pub loss: Tensor,
}

impl Batch {
    /// Predicts the noise under `context` (b, 77, width).
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn run(&self, base: &BaseModel, unet: &UNet, context: &Tensor) -> TensorResult<Pass> {
        let noisy = base
            .schedule
            .add_noise(&self.clean, &self.noise, &self.timesteps)?;
        let times: Vec<f64> = self.timesteps.iter().map(|&t| t as f64).collect();
        let predicted = unet.forward(&noisy, &times, context, &mut PlainSd)?;
        let squares = (&predicted - &self.noise)?.sqr()?; // (b, 4, h, w)
        let means = squares.flatten_from(1)?.mean(1)?; // (b)
        let Some(mask) = &self.mask else {
            return Ok(Pass {
                predicted,
                loss: means,
            });
        };
        let masked = mask.dim(0)?;
        let counted = squares.narrow(0, 0, masked)?.broadcast_mul(mask)?;
        let first = (counted.flatten_from(1)?.sum(1)? / mask.flatten_from(1)?.sum(1)?)?; // (a)
        let others = means.narrow(0, masked, means.dim(0)? - masked)?;
        let loss = Tensor::cat(&[first, others], 0)?;
        Ok(Pass { predicted, loss })
    }

    /// Rows of `self`, then rows of `other`, which must not be masked.
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn join(self, other: &Self) -> TensorResult<Self> {
        Ok(Self {
            clean: Tensor::cat(&[&self.clean, &other.clean], 0)?,
            noise: Tensor::cat(&[&self.noise, &other.noise], 0)?,
            timesteps: [self.timesteps.as_slice(), &other.timesteps].concat(),
            ids: [self.ids, other.ids.clone()].concat(),
            mask: self.mask,
        })
    }
}
