//! Low-rank additions to linear layers (LoRA, arXiv 2106.09685).

use candle_core::{Result, Tensor};

use crate::kernels;

/// `scale · up · down`, added to a layer's weight without ever being multiplied out.
#[derive(Clone, Debug)]
pub struct LowRank {
    /// A, (rank, in).
    pub down: Tensor,
    /// B, (out, rank).
    pub up: Tensor,
    /// α / rank.
    pub scale: f64,
}

impl LowRank {
    /// What the addition contributes: x (.., in) -> (.., out).
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let inner = kernels::linear(x, &self.down, None)?; // (.., rank)
        kernels::linear(&inner, &self.up, None)? * self.scale
    }
}
