//! The residual convolution block of the VAE.

use candle_core::{Result, Tensor};

use super::VaeConfig;
use crate::kernels::{GroupNormSpec, add};
use crate::models::Loaded;
use crate::models::layers::{Conv2d, Conv2dSize, GroupNorm};
use crate::weights::Weights;

/// Epsilon of every group normalisation of the VAE.
const EPS: f64 = 1e-6;

/// The VAE's normalisation, with or without a SiLU behind it.
pub(super) fn norm_spec(config: &VaeConfig, silu: bool) -> GroupNormSpec {
    GroupNormSpec {
        groups: config.norm_num_groups,
        eps: EPS,
        silu,
    }
}

/// Two normalised 3x3 convolutions, plus the input.
pub(super) struct ResBlock {
    norm1: GroupNorm,
    conv1: Conv2d,
    norm2: GroupNorm,
    conv2: Conv2d,
    /// Brings the input to the output's width where they differ.
    shortcut: Option<Conv2d>,
}

impl ResBlock {
    pub(super) fn load(config: &VaeConfig, weights: &Weights, inputs: usize, outputs: usize) -> Loaded<Self> {
        let spec = norm_spec(config, true);
        let shortcut = (inputs != outputs)
            .then(|| Conv2d::load(&weights.pp("conv_shortcut"), Conv2dSize::same(inputs, outputs, 1)));
        Ok(Self {
            norm1: GroupNorm::load(&weights.pp("norm1"), inputs, spec)?,
            conv1: Conv2d::load(&weights.pp("conv1"), Conv2dSize::same(inputs, outputs, 3))?,
            norm2: GroupNorm::load(&weights.pp("norm2"), outputs, spec)?,
            conv2: Conv2d::load(&weights.pp("conv2"), Conv2dSize::same(outputs, outputs, 3))?,
            shortcut: shortcut.transpose()?,
        })
    }

    /// (b, cin, h, w) -> (b, cout, h, w).
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.conv1.forward(&self.norm1.forward(x)?)?;
        let h = self.conv2.forward(&self.norm2.forward(&h)?)?;
        match &self.shortcut {
            Some(shortcut) => add(&shortcut.forward(x)?, &h),
            None => add(x, &h),
        }
    }
}

/// ResBlocks one behind the other, the first of which changes the width.
pub(super) fn load_chain(
    config: &VaeConfig,
    weights: &Weights,
    (inputs, outputs): (usize, usize),
    count: usize,
) -> Loaded<Vec<ResBlock>> {
    let block = |i: usize| {
        let inputs = if i == 0 { inputs } else { outputs };
        ResBlock::load(config, &weights.pp("resnets").pp(i), inputs, outputs)
    };
    (0..count).map(block).collect()
}
