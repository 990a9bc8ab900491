//! From pictures to the moments of their latents.

use candle_core::{Result, Tensor};

use super::VaeConfig;
use super::middle::MiddleBlock;
use super::resnet::{ResBlock, load_chain, norm_spec};
use crate::kernels::Conv2dGeometry;
use crate::models::Loaded;
use crate::models::layers::{Conv2d, Conv2dSize, GroupNorm};
use crate::weights::Weights;

pub(super) struct Encoder {
    conv_in: Conv2d,
    levels: Vec<Level>,
    middle: MiddleBlock,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

/// ResBlocks of one width; all levels but the coarsest end in a halving.
struct Level {
    blocks: Vec<ResBlock>,
    downsample: Option<Conv2d>,
}

impl Encoder {
    pub(super) fn load(config: &VaeConfig, weights: &Weights) -> Loaded<Self> {
        let widths = &config.block_out_channels;
        let last = widths[widths.len() - 1];
        let conv_in = Conv2dSize::same(config.in_channels, widths[0], 3);
        let conv_out = Conv2dSize::same(last, 2 * config.latent_channels, 3);
        let levels = (0..widths.len()).map(|level| Level::load(config, weights, level));
        Ok(Self {
            conv_in: Conv2d::load(&weights.pp("conv_in"), conv_in)?,
            levels: levels.collect::<Loaded<_>>()?,
            middle: MiddleBlock::load(config, &weights.pp("mid_block"), last)?,
            norm_out: GroupNorm::load(&weights.pp("conv_norm_out"), last, norm_spec(config, true))?,
            conv_out: Conv2d::load(&weights.pp("conv_out"), conv_out)?,
        })
    }

    /// (b, 3, 8h, 8w) -> mean and log-variance (b, 2·latent channels, h, w).
    pub(super) fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let mut x = self.conv_in.forward(images)?;
        for level in &self.levels {
            x = level.forward(x)?;
        }
        let x = self.norm_out.forward(&self.middle.forward(&x)?)?;
        self.conv_out.forward(&x)
    }
}

impl Level {
    fn load(config: &VaeConfig, weights: &Weights, level: usize) -> Loaded<Self> {
        let weights = weights.pp("down_blocks").pp(level);
        let widths = &config.block_out_channels;
        let (inputs, width) = (widths[level.saturating_sub(1)], widths[level]);
        let downsample = (level + 1 < widths.len()).then(|| {
            let geometry = Conv2dGeometry {
                stride: 2,
                padding: 0,
            };
            let size = Conv2dSize {
                geometry,
                ..Conv2dSize::same(width, width, 3)
            };
            Conv2d::load(&weights.pp("downsamplers.0.conv"), size)
        });
        Ok(Self {
            blocks: load_chain(config, &weights, (inputs, width), config.layers_per_block)?,
            downsample: downsample.transpose()?,
        })
    }

    fn forward(&self, mut x: Tensor) -> Result<Tensor> {
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        match &self.downsample {
            // The original pads right and bottom only.
            Some(downsample) => downsample.forward(&x.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?),
            None => Ok(x),
        }
    }
}
