//! The gated activation of Stable Diffusion's feed-forward layers.

use candle_core::{D, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::Chain;
use super::activation::{device_gelu_slope, gelu_slope, normal_cdf};
use super::op::{self, FrozenOp, with_elements};
use super::wide::wide;

/// `value · gelu(gate)` with the exact GELU, value and gate being the halves of the last dimension: (.., 2d) -> (.., d).
pub fn geglu(x: &Tensor) -> Result<Tensor> {
    Chain::on(x)?.geglu()?.end()
}

impl Chain {
    /// As the function [`geglu`].
    ///
    /// # Errors
    /// The last dimension has no halves.
    pub fn geglu(self) -> Result<Self> {
        let width = self.shape().dim(D::Minus1)?;
        if width == 0 || !width.is_multiple_of(2) {
            bail!("geglu: last dimension {width} has no halves");
        }
        self.then(Geglu)
    }
}

pub(super) struct Geglu;

impl FrozenOp for Geglu {
    fn reads_input(&self) -> bool {
        true
    }

    fn cpu(&self, x: &[f32], shape: &Shape) -> Result<(Vec<f32>, Shape)> {
        let mut dims = shape.dims().to_vec();
        let width = dims[dims.len() - 1];
        let half = width / 2;
        *dims.last_mut().expect("geglu checked the last dimension") = half;
        let mut y = vec![0.0; x.len() / 2];
        let rows = y.par_chunks_mut(half).zip(x.par_chunks(width)).with_min_len(4);
        rows.for_each(|(y, x)| {
            let (value, gate) = x.split_at(half);
            wide(
                #[inline(always)]
                || {
                    for ((y, v), g) in y.iter_mut().zip(value).zip(gate) {
                        *y = v * g * normal_cdf(*g);
                    }
                },
            );
        });
        Ok((y, dims.into()))
    }

    fn device(&self, x: &Tensor) -> Result<Tensor> {
        let halves = x.chunk(2, D::Minus1)?;
        &halves[0] * halves[1].gelu_erf()?
    }

    fn device_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let halves = x.chunk(2, D::Minus1)?;
        let value = (halves[1].gelu_erf()? * dy)?;
        let gate = ((&halves[0] * dy)? * device_gelu_slope(&halves[1])?)?;
        Tensor::cat(&[value, gate], D::Minus1)
    }

    fn cpu_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let width = x.dim(D::Minus1)?;
        let mut dx = vec![0.0; x.elem_count()];
        with_elements(x, |x| {
            with_elements(dy, |dy| {
                let rows = dx
                    .par_chunks_mut(width)
                    .zip(x.par_chunks(width))
                    .zip(dy.par_chunks(width / 2));
                rows.with_min_len(4)
                    .for_each(|((dx, x), dy)| gradient_row(dx, x, dy));
                Ok(())
            })
        })?;
        op::tensor_like(x, dx)
    }
}

fn gradient_row(dx: &mut [f32], x: &[f32], dy: &[f32]) {
    let half = dy.len();
    let (value, gate) = x.split_at(half);
    let (dvalue, dgate) = dx.split_at_mut(half);
    wide(
        #[inline(always)]
        || {
            for ((dvalue, gate), dy) in dvalue.iter_mut().zip(gate).zip(dy) {
                *dvalue = dy * gate * normal_cdf(*gate);
            }
            for (((dgate, value), gate), dy) in dgate.iter_mut().zip(value).zip(gate).zip(dy) {
                *dgate = dy * value * gelu_slope(*gate);
            }
        },
    );
}
