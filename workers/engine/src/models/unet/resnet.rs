//! The residual convolution block.

use candle_core::{Result, Tensor};

use super::UNetConfig;
use super::time::TimeEmbedding;
use crate::kernels::{Chain, GroupNormSpec};
use crate::models::Loaded;
use crate::models::layers::{Conv2d, Conv2dSize, GroupNorm, Linear};
use crate::weights::Weights;

/// Two normalised 3x3 convolutions around the timestep's shift, plus the input.
#[derive(Clone)]
pub(super) struct ResBlock {
    norm1: GroupNorm,
    conv1: Conv2d,
    time: Linear,
    norm2: GroupNorm,
    conv2: Conv2d,
    /// Brings the input to the output's width where they differ.
    shortcut: Option<Conv2d>,
}

impl ResBlock {
    pub(super) fn load(
        config: &UNetConfig,
        weights: &Weights,
        inputs: usize,
        outputs: usize,
    ) -> Loaded<Self> {
        let spec = GroupNormSpec {
            groups: config.norm_num_groups,
            eps: config.norm_eps,
            silu: true,
        };
        let shortcut = (inputs != outputs)
            .then(|| Conv2d::load(&weights.pp("conv_shortcut"), Conv2dSize::same(inputs, outputs, 1)));
        let embedding = TimeEmbedding::output_width(config);
        Ok(Self {
            norm1: GroupNorm::load(&weights.pp("norm1"), inputs, spec)?,
            conv1: Conv2d::load(&weights.pp("conv1"), Conv2dSize::same(inputs, outputs, 3))?,
            time: Linear::load(&weights.pp("time_emb_proj"), embedding, outputs)?,
            norm2: GroupNorm::load(&weights.pp("norm2"), outputs, spec)?,
            conv2: Conv2d::load(&weights.pp("conv2"), Conv2dSize::same(outputs, outputs, 3))?,
            shortcut: shortcut.transpose()?,
        })
    }

    /// x (b, cin, h, w) and the activated embedding (b, width) -> (b, cout, h, w). With `again` only x is kept for the
    /// backward pass.
    pub(super) fn forward(&self, x: &Tensor, emb: &Tensor, again: bool) -> Result<Tensor> {
        let time = self.time.forward(emb)?;
        let inner = |x| {
            let h = self.conv1.follow(self.norm1.follow(x)?)?;
            self.norm2.follow(h.add_per_channel(&time)?)
        };
        let h = Chain::on(x)?;
        let h = if again { h.again(inner)? } else { inner(h)? };
        let h = self.conv2.follow(h)?;
        let x = Chain::on(x)?;
        match &self.shortcut {
            Some(shortcut) => shortcut.follow(x)?.plus(h),
            None => x.plus(h),
        }
    }
}
