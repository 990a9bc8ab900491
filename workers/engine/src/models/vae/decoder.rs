//! From latents to pictures.

use candle_core::{Result, Tensor};

use super::VaeConfig;
use super::middle::MiddleBlock;
use super::resnet::{ResBlock, load_chain, norm_spec};
use crate::kernels::upsample_nearest;
use crate::models::Loaded;
use crate::models::layers::{Conv2d, Conv2dSize, GroupNorm};
use crate::weights::Weights;

pub(super) struct Decoder {
    conv_in: Conv2d,
    middle: MiddleBlock,
    levels: Vec<Level>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

/// ResBlocks of one width; all levels but the finest end in a doubling.
struct Level {
    blocks: Vec<ResBlock>,
    upsample: Option<Conv2d>,
}

impl Decoder {
    pub(super) fn load(config: &VaeConfig, weights: &Weights) -> Loaded<Self> {
        let widths = &config.block_out_channels;
        let (first, last) = (widths[0], widths[widths.len() - 1]);
        let conv_in = Conv2dSize::same(config.latent_channels, last, 3);
        let conv_out = Conv2dSize::same(first, config.out_channels, 3);
        let levels = (0..widths.len()).map(|block| Level::load(config, weights, block));
        Ok(Self {
            conv_in: Conv2d::load(&weights.pp("conv_in"), conv_in)?,
            middle: MiddleBlock::load(config, &weights.pp("mid_block"), last)?,
            levels: levels.collect::<Loaded<_>>()?,
            norm_out: GroupNorm::load(&weights.pp("conv_norm_out"), first, norm_spec(config, true))?,
            conv_out: Conv2d::load(&weights.pp("conv_out"), conv_out)?,
        })
    }

    /// (b, latent channels, h, w) -> (b, 3, 8h, 8w).
    pub(super) fn forward(&self, latents: &Tensor) -> Result<Tensor> {
        let mut x = self.middle.forward(&self.conv_in.forward(latents)?)?;
        for level in &self.levels {
            x = level.forward(x)?;
        }
        self.conv_out.forward(&self.norm_out.forward(&x)?)
    }
}

impl Level {
    /// `block` counts from the coarsest level.
    fn load(config: &VaeConfig, weights: &Weights, block: usize) -> Loaded<Self> {
        let weights = weights.pp("up_blocks").pp(block);
        let widths = &config.block_out_channels;
        let level = widths.len() - 1 - block;
        let (inputs, width) = (widths[(level + 1).min(widths.len() - 1)], widths[level]);
        let upsample = (level > 0).then(|| {
            Conv2d::load(
                &weights.pp("upsamplers.0.conv"),
                Conv2dSize::same(width, width, 3),
            )
        });
        Ok(Self {
            blocks: load_chain(config, &weights, (inputs, width), config.layers_per_block + 1)?,
            upsample: upsample.transpose()?,
        })
    }

    fn forward(&self, mut x: Tensor) -> Result<Tensor> {
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        match &self.upsample {
            Some(upsample) => upsample.forward(&upsample_nearest(&x)?),
            None => Ok(x),
        }
    }
}
