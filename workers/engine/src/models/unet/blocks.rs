//! The levels of the U-Net on the way down, in the middle and on the way up.

use candle_core::Result;

use super::resnet::ResBlock;
use super::transformer::Transformer;
use super::walk::Walk;
use super::{Checkpointing, Site, UNetConfig};
use crate::kernels::{Chain, Conv2dGeometry};
use crate::models::Loaded;
use crate::models::layers::{Conv2d, Conv2dSize};
use crate::weights::Weights;

/// A ResBlock and, where the level attends, a transformer.
#[derive(Clone)]
struct Layer {
    resnet: ResBlock,
    transformer: Option<Transformer>,
}

impl Layer {
    /// `(index, inputs, outputs)` of the layer inside its block; takes a site if the block attends.
    fn load(
        config: &UNetConfig,
        weights: &Weights,
        (index, inputs, outputs): (usize, usize, usize),
        site: Option<Site>,
    ) -> Loaded<Self> {
        let transformer =
            site.map(|site| Transformer::load(config, &weights.pp("attentions").pp(index), site));
        let resnet = ResBlock::load(config, &weights.pp("resnets").pp(index), inputs, outputs)?;
        Ok(Self {
            resnet,
            transformer: transformer.transpose()?,
        })
    }

    /// False if the hook stopped.
    fn forward(&self, walk: &mut Walk<'_>) -> Result<bool> {
        resnet(&self.resnet, walk)?;
        match &self.transformer {
            Some(transformer) => transformer.forward(walk),
            None => Ok(true),
        }
    }
}

fn resnet(block: &ResBlock, walk: &mut Walk<'_>) -> Result<()> {
    let again = walk.settings.checkpointing == Checkpointing::All;
    walk.x = block.forward(&walk.x, &walk.emb, again)?;
    Ok(())
}

/// A level on the way down; all but the coarsest end in a halving.
#[derive(Clone)]
pub(super) struct DownBlock {
    layers: Vec<Layer>,
    downsample: Option<Conv2d>,
}

impl DownBlock {
    pub(super) fn load_all(
        config: &UNetConfig,
        weights: &Weights,
        sites: &mut impl Iterator<Item = Site>,
    ) -> Loaded<Vec<Self>> {
        let mut blocks = Vec::with_capacity(config.levels());
        for level in 0..config.levels() {
            let weights = weights.pp("down_blocks").pp(level);
            let width = config.block_out_channels[level];
            let before = config.block_out_channels[level.saturating_sub(1)];
            let mut layers = Vec::with_capacity(config.layers_per_block);
            for layer in 0..config.layers_per_block {
                let inputs = if layer == 0 { before } else { width };
                let site = if config.down_attends(level) {
                    sites.next()
                } else {
                    None
                };
                layers.push(Layer::load(config, &weights, (layer, inputs, width), site)?);
            }
            let downsample = (level + 1 < config.levels()).then(|| {
                let geometry = Conv2dGeometry {
                    stride: 2,
                    padding: 1,
                };
                let size = Conv2dSize {
                    geometry,
                    ..Conv2dSize::same(width, width, 3)
                };
                Conv2d::load(&weights.pp("downsamplers.0.conv"), size)
            });
            blocks.push(Self {
                layers,
                downsample: downsample.transpose()?,
            });
        }
        Ok(blocks)
    }

    /// False if the hook stopped.
    pub(super) fn forward(&self, walk: &mut Walk<'_>) -> Result<bool> {
        for layer in &self.layers {
            if !layer.forward(walk)? {
                return Ok(false);
            }
            walk.push_skip();
        }
        if let Some(downsample) = &self.downsample {
            walk.x = downsample.forward(&walk.x)?;
            walk.push_skip();
        }
        Ok(true)
    }
}

/// Two ResBlocks around a transformer at the coarsest level.
#[derive(Clone)]
pub(super) struct MiddleBlock {
    first: Layer,
    last: ResBlock,
}

impl MiddleBlock {
    pub(super) fn load(
        config: &UNetConfig,
        weights: &Weights,
        sites: &mut impl Iterator<Item = Site>,
    ) -> Loaded<Self> {
        let width = config.block_out_channels[config.levels() - 1];
        Ok(Self {
            first: Layer::load(config, weights, (0, width, width), sites.next())?,
            last: ResBlock::load(config, &weights.pp("resnets.1"), width, width)?,
        })
    }

    /// False if the hook stopped.
    pub(super) fn forward(&self, walk: &mut Walk<'_>) -> Result<bool> {
        if !self.first.forward(walk)? {
            return Ok(false);
        }
        resnet(&self.last, walk)?;
        Ok(true)
    }
}

/// A level on the way up, each layer fed with a kept map; all but the finest end in a doubling.
#[derive(Clone)]
pub(super) struct UpBlock {
    layers: Vec<Layer>,
    upsample: Option<Conv2d>,
}

impl UpBlock {
    pub(super) fn load_all(
        config: &UNetConfig,
        weights: &Weights,
        sites: &mut impl Iterator<Item = Site>,
    ) -> Loaded<Vec<Self>> {
        let levels = config.levels();
        let mut blocks = Vec::with_capacity(levels);
        for block in 0..levels {
            let weights = weights.pp("up_blocks").pp(block);
            let width = config.block_out_channels[levels - 1 - block];
            let mut layers = Vec::with_capacity(config.layers_per_block + 1);
            for layer in 0..=config.layers_per_block {
                let site = if config.up_attends(block) {
                    sites.next()
                } else {
                    None
                };
                let inputs = up_inputs(config, block, layer);
                layers.push(Layer::load(config, &weights, (layer, inputs, width), site)?);
            }
            let upsample = (block + 1 < levels).then(|| {
                Conv2d::load(
                    &weights.pp("upsamplers.0.conv"),
                    Conv2dSize::same(width, width, 3),
                )
            });
            blocks.push(Self {
                layers,
                upsample: upsample.transpose()?,
            });
        }
        Ok(blocks)
    }

    /// False if the hook stopped.
    pub(super) fn forward(&self, walk: &mut Walk<'_>) -> Result<bool> {
        for layer in &self.layers {
            walk.join_skip()?;
            if !layer.forward(walk)? {
                return Ok(false);
            }
        }
        if let Some(upsample) = &self.upsample {
            let doubled = Chain::on(&walk.x)?.upsample_nearest()?;
            walk.x = upsample.follow(doubled)?.end()?;
        }
        Ok(true)
    }
}

/// Channels into a layer on the way up: those of the layer before and those of the kept map.
fn up_inputs(config: &UNetConfig, block: usize, layer: usize) -> usize {
    let widths = &config.block_out_channels;
    let level = widths.len() - 1 - block;
    let before = if layer == 0 {
        widths[(level + 1).min(widths.len() - 1)]
    } else {
        widths[level]
    };
    // The last layer of a level meets the map that entered the level on the way down.
    let skip = if layer == config.layers_per_block {
        widths[level.saturating_sub(1)]
    } else {
        widths[level]
    };
    before + skip
}
