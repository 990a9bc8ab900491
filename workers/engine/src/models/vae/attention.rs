//! The single-head attention over pixels in the middle of the VAE.

use candle_core::{Result, Tensor};

use super::VaeConfig;
use super::resnet::norm_spec;
use crate::kernels::{Mask, add, attention};
use crate::models::Loaded;
use crate::models::layers::{GroupNorm, Linear};
use crate::weights::Weights;

/// Every pixel looks at every pixel, plus the input.
pub(super) struct PixelAttention {
    norm: GroupNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
}

impl PixelAttention {
    pub(super) fn load(config: &VaeConfig, weights: &Weights, width: usize) -> Loaded<Self> {
        // Files of 2022, Stable Diffusion's own among them, have the second name of each pair.
        let linear = |new: &str, old: &str| -> Loaded<Linear> {
            let names = |part: &str| [format!("{new}.{part}"), format!("{old}.{part}")];
            let [new_weight, old_weight] = names("weight");
            let [new_bias, old_bias] = names("bias");
            let weight = weights.get_any((width, width), &[&new_weight, &old_weight])?;
            Ok(Linear::new(
                weight,
                Some(weights.get_any(width, &[&new_bias, &old_bias])?),
            ))
        };
        Ok(Self {
            norm: GroupNorm::load(&weights.pp("group_norm"), width, norm_spec(config, false))?,
            q: linear("to_q", "query")?,
            k: linear("to_k", "key")?,
            v: linear("to_v", "value")?,
            out: linear("to_out.0", "proj_attn")?,
        })
    }

    /// (b, c, h, w) -> (b, c, h, w).
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let tokens = self
            .norm
            .forward(x)?
            .flatten_from(2)?
            .transpose(1, 2)?
            .contiguous()?; // (b, h·w, c)
        let (q, k, v) = (
            self.q.forward(&tokens)?,
            self.k.forward(&tokens)?,
            self.v.forward(&tokens)?,
        );
        let tokens = self.out.forward(&attention(&q, &k, &v, 1, Mask::None)?)?;
        add(x, &tokens.transpose(1, 2)?.contiguous()?.reshape(x.shape())?)
    }
}
