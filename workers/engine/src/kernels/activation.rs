//! Element-wise activations.

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use super::Chain;
use super::op::{self, FrozenOp, with_elements};
use super::wide::{erf, exp, sigmoid, wide};

/// Elements one task handles: large enough to hide the hand-over, small enough to share.
pub(super) const CHUNK: usize = 1 << 14;

/// `x · sigmoid(x)`.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    Chain::on(x)?.then(Activation::Silu)?.end()
}

/// `x · Φ(x)` with the exact normal distribution function, as Stable Diffusion was trained with.
pub fn gelu_erf(x: &Tensor) -> Result<Tensor> {
    Chain::on(x)?.gelu_erf()?.end()
}

/// `x · sigmoid(1.702 x)`, the activation of OpenAI's CLIP.
pub fn quick_gelu(x: &Tensor) -> Result<Tensor> {
    Chain::on(x)?.quick_gelu()?.end()
}

impl Chain {
    /// As the function [`gelu_erf`].
    ///
    /// # Errors
    /// The device refuses.
    pub fn gelu_erf(self) -> Result<Self> {
        self.then(Activation::GeluErf)
    }

    /// As the function [`quick_gelu`].
    ///
    /// # Errors
    /// The device refuses.
    pub fn quick_gelu(self) -> Result<Self> {
        self.then(Activation::QuickGelu)
    }
}

#[derive(Clone, Copy)]
pub(super) enum Activation {
    Silu,
    GeluErf,
    QuickGelu,
}

impl Activation {
    /// `out[i] = f(x[i])`.
    fn values(self, x: &[f32], out: &mut [f32]) {
        match self {
            Self::Silu => map(x, out, |v| v * sigmoid(v)),
            Self::GeluErf => map(x, out, |v| v * normal_cdf(v)),
            Self::QuickGelu => map(x, out, |v| v * sigmoid(1.702 * v)),
        }
    }

    /// `out[i] = f'(x[i])`.
    fn slopes(self, x: &[f32], out: &mut [f32]) {
        match self {
            Self::Silu => map(x, out, silu_slope),
            Self::GeluErf => map(x, out, gelu_slope),
            Self::QuickGelu => map(x, out, |v| silu_slope(1.702 * v)),
        }
    }
}

impl FrozenOp for Activation {
    fn reads_input(&self) -> bool {
        true
    }

    fn cpu(&self, x: &[f32], shape: &Shape) -> Result<(Vec<f32>, Shape)> {
        let mut y = vec![0.0; x.len()];
        let chunks = y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK));
        chunks.for_each(|(y, x)| self.values(x, y));
        Ok((y, shape.clone()))
    }

    fn device(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Silu => x.silu(),
            Self::GeluErf => x.gelu_erf(),
            Self::QuickGelu => x * candle_nn::ops::sigmoid(&(x * 1.702)?)?,
        }
    }

    fn cpu_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let mut dx = vec![0.0; x.elem_count()];
        with_elements(x, |x| {
            with_elements(dy, |dy| {
                let chunks = dx
                    .par_chunks_mut(CHUNK)
                    .zip(x.par_chunks(CHUNK))
                    .zip(dy.par_chunks(CHUNK));
                chunks.for_each(|((dx, x), dy)| {
                    self.slopes(x, dx);
                    dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx *= dy);
                });
                Ok(())
            })
        })?;
        op::tensor_like(x, dx)
    }

    fn device_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let slope = match self {
            Self::Silu => device_silu_slope(x),
            Self::QuickGelu => device_silu_slope(&(x * 1.702)?),
            Self::GeluErf => device_gelu_slope(x),
        }?;
        slope * dy
    }
}

/// `d silu / dx` on any device.
pub(super) fn device_silu_slope(x: &Tensor) -> Result<Tensor> {
    let s = candle_nn::ops::sigmoid(x)?;
    let falling = (x * s.affine(-1.0, 1.0)?)?.affine(1.0, 1.0)?;
    s * falling
}

/// `d gelu / dx` on any device.
pub(super) fn device_gelu_slope(x: &Tensor) -> Result<Tensor> {
    let cdf = (x * std::f64::consts::FRAC_1_SQRT_2)?.erf()?.affine(0.5, 0.5)?;
    let density = (x.sqr()?.affine(-0.5, 0.0)?.exp()? * f64::from(INV_SQRT_TAU))?;
    cdf + (x * density)?
}

fn map(x: &[f32], out: &mut [f32], f: impl Fn(f32) -> f32) {
    wide(
        #[inline(always)]
        || {
            // A closure in `for_each` is compiled by itself at times, and keeps narrow instructions.
            for (out, x) in out.iter_mut().zip(x) {
                *out = f(*x);
            }
        },
    );
}

/// `1 / sqrt(2π)`.
const INV_SQRT_TAU: f32 = 0.398_942_3;

/// `Φ(x)`, the normal distribution function.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must take on its caller's vector width")]
pub(super) fn normal_cdf(x: f32) -> f32 {
    0.5 + 0.5 * erf(x * std::f32::consts::FRAC_1_SQRT_2)
}

/// `d (x Φ(x)) / dx`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must take on its caller's vector width")]
pub(super) fn gelu_slope(x: f32) -> f32 {
    normal_cdf(x) + x * INV_SQRT_TAU * exp(-0.5 * x * x)
}

/// `d (x sigmoid(x)) / dx`; with `1.702 x` also the slope of the quick GELU.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must take on its caller's vector width")]
pub(super) fn silu_slope(x: f32) -> f32 {
    let s = sigmoid(x);
    s * (1.0 + x * (1.0 - s))
}
