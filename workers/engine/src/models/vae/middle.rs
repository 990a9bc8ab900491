//! The block at the coarsest level, the same in encoder and decoder.

use candle_core::{Result, Tensor};

use super::VaeConfig;
use super::attention::PixelAttention;
use super::resnet::ResBlock;
use crate::models::Loaded;
use crate::weights::Weights;

/// Two ResBlocks around an attention.
pub(super) struct MiddleBlock {
    first: ResBlock,
    attention: PixelAttention,
    last: ResBlock,
}

impl MiddleBlock {
    pub(super) fn load(config: &VaeConfig, weights: &Weights, width: usize) -> Loaded<Self> {
        Ok(Self {
            first: ResBlock::load(config, &weights.pp("resnets.0"), width, width)?,
            attention: PixelAttention::load(config, &weights.pp("attentions.0"), width)?,
            last: ResBlock::load(config, &weights.pp("resnets.1"), width, width)?,
        })
    }

    /// (b, c, h, w) -> (b, c, h, w).
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.attention.forward(&self.first.forward(x)?)?;
        self.last.forward(&x)
    }
}
