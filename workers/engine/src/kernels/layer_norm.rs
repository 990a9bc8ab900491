//! Layer normalisation.

use candle_core::{D, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::Chain;
use super::by_candle;
use super::moments::moments;
use super::op::{self, FrozenOp, with_elements};
use super::wide::{sum, wide};

/// Normalises the last dimension: `(x - mean) / sqrt(variance + eps) · weight + bias`; x (.., c), weight and bias (c).
///
/// Frozen parameters receive no gradient; trainable ones do.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    Chain::on(x)?.layer_norm(weight, bias, eps)?.end()
}

impl Chain {
    /// As the function [`layer_norm`].
    ///
    /// # Errors
    /// The sizes do not fit.
    pub fn layer_norm(self, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Self> {
        let width = self.shape().dim(D::Minus1)?;
        if weight.dims() != [width] || bias.dims() != [width] || width == 0 {
            bail!(
                "layer_norm: weight {:?} and bias {:?} for width {width}",
                weight.dims(),
                bias.dims()
            );
        }
        if by_candle::takes(weight, Some(bias)) {
            return Self::on(&by_candle::layer_norm(self, weight, bias, eps)?);
        }
        let op = LayerNorm {
            affine: Some((weight.detach().contiguous()?, bias.detach().contiguous()?)),
            eps,
        };
        self.through(op, weight, Some(bias))
    }
}

/// Without an affine part it only normalises.
pub(super) struct LayerNorm {
    pub(super) affine: Option<(Tensor, Tensor)>,
    pub(super) eps: f64,
}

impl LayerNorm {
    /// Runs `work` with weight and bias as slices.
    fn with_affine<R>(&self, width: usize, work: impl FnOnce(&[f32], &[f32]) -> Result<R>) -> Result<R> {
        match &self.affine {
            Some((weight, bias)) => with_elements(weight, |w| with_elements(bias, |b| work(w, b))),
            None => work(&vec![1.0; width], &vec![0.0; width]),
        }
    }

    fn device_normal(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let spread = (centred.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?;
        Ok((centred.broadcast_div(&spread)?, spread))
    }
}

impl FrozenOp for LayerNorm {
    fn reads_input(&self) -> bool {
        true
    }

    fn cpu(&self, x: &[f32], shape: &Shape) -> Result<(Vec<f32>, Shape)> {
        let width = shape.dim(D::Minus1)?;
        let mut y = vec![0.0; x.len()];
        self.with_affine(width, |weight, bias| {
            let rows = y.par_chunks_mut(width).zip(x.par_chunks(width)).with_min_len(8);
            rows.for_each(|(y, x)| {
                let (mean, rstd) = moments(x, self.eps);
                wide(
                    #[inline(always)]
                    || {
                        for (((y, x), weight), bias) in y.iter_mut().zip(x).zip(weight).zip(bias) {
                            *y = (x - mean) * rstd * weight + bias;
                        }
                    },
                );
            });
            Ok(())
        })?;
        Ok((y, shape.clone()))
    }

    fn device(&self, x: &Tensor) -> Result<Tensor> {
        let (normal, _) = self.device_normal(x)?;
        match &self.affine {
            Some((weight, bias)) => normal
                .broadcast_mul(&weight.to_dtype(x.dtype())?)?
                .broadcast_add(&bias.to_dtype(x.dtype())?),
            None => Ok(normal),
        }
    }

    fn device_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (normal, spread) = self.device_normal(x)?;
        let g = match &self.affine {
            Some((weight, _)) => dy.broadcast_mul(&weight.to_dtype(dy.dtype())?)?,
            None => dy.clone(),
        };
        let tilt = (&g * &normal)?.mean_keepdim(D::Minus1)?;
        let centred = g.broadcast_sub(&g.mean_keepdim(D::Minus1)?)?;
        (centred - normal.broadcast_mul(&tilt)?)?.broadcast_div(&spread)
    }

    fn cpu_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let width = x.dim(D::Minus1)?;
        let mut dx = vec![0.0; x.elem_count()];
        self.with_affine(width, |weight, _| {
            with_elements(x, |x| {
                with_elements(dy, |dy| {
                    let rows = dx
                        .par_chunks_mut(width)
                        .zip(x.par_chunks(width))
                        .zip(dy.par_chunks(width));
                    rows.with_min_len(8)
                        .for_each(|((dx, x), dy)| self.gradient_row(dx, x, dy, weight));
                    Ok(())
                })
            })
        })?;
        op::tensor_like(x, dx)
    }
}

impl LayerNorm {
    /// With n the normalised row and g = dy · weight: `dx = (g - mean(g) - n · mean(g n)) / spread`.
    fn gradient_row(&self, dx: &mut [f32], x: &[f32], dy: &[f32], weight: &[f32]) {
        let (mean, rstd) = moments(x, self.eps);
        let share = 1.0 / x.len() as f32;
        wide(
            #[inline(always)]
            || {
                let normal = |x: f32| (x - mean) * rstd;
                let level = sum([dy, weight], |[dy, weight]| dy * weight) * share;
                let tilt = sum([dy, weight, x], |[dy, weight, x]| dy * weight * normal(x)) * share;
                for (((dx, x), dy), weight) in dx.iter_mut().zip(x).zip(dy).zip(weight) {
                    *dx = (dy * weight - level - normal(*x) * tilt) * rstd;
                }
            },
        );
    }
}
