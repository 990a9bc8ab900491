//! The U-Net as it is, under two texts: the base model, and every method that changes only words or weights.

use candle_core::Tensor;

use super::{NoisePredictor, Prediction};
use crate::models::unet::{PlainSd, UNet};

/// Predicts noise with nothing added to the U-Net.
pub struct Plain<'a> {
    /// The U-Net.
    pub unet: &'a UNet,
    /// Unconditional and conditional text, (2, 77, width).
    pub context: Tensor,
}

impl NoisePredictor for Plain<'_> {
    fn prepare(&mut self, _timestep: usize) -> crate::Result<()> {
        Ok(())
    }

    fn predict(&self, timestep: usize, latents: &Tensor) -> crate::Result<Prediction> {
        Prediction::of(self.unet, timestep, latents, &self.context, &mut PlainSd)
    }
}
