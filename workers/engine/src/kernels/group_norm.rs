//! Group normalisation, with the SiLU that usually follows it fused in.

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::Chain;
use super::activation::{device_silu_slope, silu_slope};
use super::by_candle;
use super::moments::moments;
use super::op::{self, FrozenOp, with_elements};
use super::wide::{sigmoid, sum, wide};

/// How a [`group_norm`] normalises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupNormSpec {
    /// Number of groups the channels are cut into.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f64,
    /// Whether a SiLU follows.
    pub silu: bool,
}

/// Normalises each group of channels of each sample, then scales and shifts each channel, then applies a SiLU if the
/// spec says so: x (b, c, h, w), weight and bias (c).
///
/// Frozen parameters receive no gradient; trainable ones do.
pub fn group_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, spec: GroupNormSpec) -> Result<Tensor> {
    Chain::on(x)?.group_norm(weight, bias, spec)?.end()
}

impl Chain {
    /// As the function [`group_norm`].
    ///
    /// # Errors
    /// The sizes do not fit.
    pub fn group_norm(self, weight: &Tensor, bias: &Tensor, spec: GroupNormSpec) -> Result<Self> {
        let (_, c, _, _) = self.shape().dims4()?;
        if weight.dims() != [c] || bias.dims() != [c] {
            bail!(
                "group_norm: weight {:?} and bias {:?} for {c} channels",
                weight.dims(),
                bias.dims()
            );
        }
        if spec.groups == 0 || c % spec.groups != 0 {
            bail!("group_norm: {c} channels do not fall into {} groups", spec.groups);
        }
        if by_candle::takes(weight, Some(bias)) {
            return Self::on(&by_candle::group_norm(self, weight, bias, spec)?);
        }
        let op = GroupNorm {
            weight: weight.detach().contiguous()?,
            bias: bias.detach().contiguous()?,
            spec,
        };
        self.through(op, weight, Some(bias))
    }
}

pub(super) struct GroupNorm {
    pub(super) weight: Tensor,
    pub(super) bias: Tensor,
    pub(super) spec: GroupNormSpec,
}

/// One group of one sample: its channels lie one behind the other, `plane` elements each.
pub(super) struct Group<'a> {
    pub(super) weight: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) plane: usize,
    pub(super) silu: bool,
}

impl GroupNorm {
    /// Channels of a group, and elements of a channel.
    pub(super) fn sizes(&self, shape: &Shape) -> Result<(usize, usize)> {
        let (_, c, h, w) = shape.dims4()?;
        Ok((c / self.spec.groups, h * w))
    }

    /// What belongs to a group, counted over all samples.
    pub(super) fn group<'a>(
        &self,
        index: usize,
        weight: &'a [f32],
        bias: &'a [f32],
        plane: usize,
    ) -> Group<'a> {
        let channels = weight.len() / self.spec.groups;
        let first = index % self.spec.groups * channels;
        let range = first..first + channels;
        Group {
            weight: &weight[range.clone()],
            bias: &bias[range],
            plane,
            silu: self.spec.silu,
        }
    }
}

impl FrozenOp for GroupNorm {
    fn reads_input(&self) -> bool {
        true
    }

    fn cpu(&self, x: &[f32], shape: &Shape) -> Result<(Vec<f32>, Shape)> {
        let (channels, plane) = self.sizes(shape)?;
        let size = (channels * plane).max(1);
        let mut y = vec![0.0; x.len()];
        with_elements(&self.weight, |weight| {
            with_elements(&self.bias, |bias| {
                let groups = y.par_chunks_mut(size).zip(x.par_chunks(size)).enumerate();
                groups.for_each(|(i, (y, x))| {
                    self.group(i, weight, bias, plane).forward(y, x, self.spec.eps);
                });
                Ok(())
            })
        })?;
        Ok((y, shape.clone()))
    }

    fn device(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.device_affine(&self.device_normal(x)?.0)?;
        if self.spec.silu { y.silu() } else { Ok(y) }
    }

    fn device_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (normal, spread) = self.device_normal(x)?;
        let dz = if self.spec.silu {
            (dy * device_silu_slope(&self.device_affine(&normal)?)?)?
        } else {
            dy.clone()
        };
        let grouped = (x.dim(0)?, self.spec.groups, ());
        let (g, normal) = (
            self.device_scaled(&dz)?.reshape(grouped)?,
            normal.reshape(grouped)?,
        );
        let tilt = (&g * &normal)?.mean_keepdim(2)?;
        let centred = g.broadcast_sub(&g.mean_keepdim(2)?)?;
        (centred - normal.broadcast_mul(&tilt)?)?
            .broadcast_div(&spread)?
            .reshape(x.shape())
    }

    fn cpu_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (channels, plane) = self.sizes(x.shape())?;
        let size = (channels * plane).max(1);
        let mut dx = vec![0.0; x.elem_count()];
        with_elements(&self.weight, |weight| {
            with_elements(&self.bias, |bias| {
                with_elements(x, |x| {
                    with_elements(dy, |dy| {
                        let groups = dx
                            .par_chunks_mut(size)
                            .zip(x.par_chunks(size))
                            .zip(dy.par_chunks(size));
                        groups.enumerate().for_each(|(i, ((dx, x), dy))| {
                            self.group(i, weight, bias, plane)
                                .backward(dx, x, dy, self.spec.eps);
                        });
                        Ok(())
                    })
                })
            })
        })?;
        op::tensor_like(x, dx)
    }
}

impl Group<'_> {
    fn forward(&self, y: &mut [f32], x: &[f32], eps: f64) {
        let (mean, rstd) = moments(x, eps);
        let planes = y.chunks_mut(self.plane).zip(x.chunks(self.plane));
        for (c, (y, x)) in planes.enumerate() {
            let scale = rstd * self.weight[c];
            let shift = self.bias[c];
            wide(
                #[inline(always)]
                || {
                    for (y, x) in y.iter_mut().zip(x) {
                        let z = (x - mean) * scale + shift;
                        *y = if self.silu { z * sigmoid(z) } else { z };
                    }
                },
            );
        }
    }

    /// With n the normalised group and g the gradient at n: `dx = (g - mean(g) - n · mean(g n)) · rstd`.
    fn backward(&self, dx: &mut [f32], x: &[f32], dy: &[f32], eps: f64) {
        let (mean, rstd) = moments(x, eps);
        let (mut level, mut tilt) = (0f64, 0f64);
        let planes = dx
            .chunks_mut(self.plane)
            .zip(x.chunks(self.plane))
            .zip(dy.chunks(self.plane));
        for (c, ((dx, x), dy)) in planes.enumerate() {
            let (weight, shift) = (self.weight[c], self.bias[c]);
            let (plane_level, plane_tilt) = wide(
                #[inline(always)]
                || {
                    // dx holds g until both means are known.
                    for ((g, x), dy) in dx.iter_mut().zip(x).zip(dy) {
                        let z = (x - mean) * rstd * weight + shift;
                        let slope = if self.silu { silu_slope(z) } else { 1.0 };
                        *g = dy * slope * weight;
                    }
                    let tilt = sum([&*dx, x], |[g, x]| g * (x - mean) * rstd);
                    (sum([&*dx], |[g]| g), tilt)
                },
            );
            level += f64::from(plane_level);
            tilt += f64::from(plane_tilt);
        }
        let n = x.len() as f64;
        let (level, tilt) = ((level / n) as f32, (tilt / n) as f32);
        wide(
            #[inline(always)]
            || {
                for (g, x) in dx.iter_mut().zip(x) {
                    *g = (*g - level - (x - mean) * rstd * tilt) * rstd;
                }
            },
        );
    }
}

impl GroupNorm {
    /// The normalised input and its spread, the latter (b, groups, 1).
    fn device_normal(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let groups = x.reshape((x.dim(0)?, self.spec.groups, ()))?;
        let centred = groups.broadcast_sub(&groups.mean_keepdim(2)?)?;
        let spread = (centred.sqr()?.mean_keepdim(2)? + self.spec.eps)?.sqrt()?;
        Ok((centred.broadcast_div(&spread)?.reshape(x.shape())?, spread))
    }

    fn device_affine(&self, normal: &Tensor) -> Result<Tensor> {
        let bias = self.bias.to_dtype(normal.dtype())?.reshape((1, (), 1, 1))?;
        self.device_scaled(normal)?.broadcast_add(&bias)
    }

    fn device_scaled(&self, t: &Tensor) -> Result<Tensor> {
        t.broadcast_mul(&self.weight.to_dtype(t.dtype())?.reshape((1, (), 1, 1))?)
    }
}
