//! The gradients of a group norm's scale and shift.

use candle_core::{Result, Shape};
use rayon::prelude::*;

use super::super::activation::silu_slope;
use super::super::group_norm::{Group, GroupNorm};
use super::super::moments::moments;
use super::super::op::with_elements;
use super::super::wide::{sum, wide};
use super::sums::{self, BLOCK};
use super::{Gradients, Learns};

/// What one plane adds to the gradients of its channel's scale and shift.
#[derive(Clone, Copy, Default)]
struct Share {
    scale: f64,
    shift: f64,
}

impl Learns for GroupNorm {
    /// Both come of one pass, of which the slope of the SiLU is most.
    fn learn(&self, x: &[f32], shape: &Shape, dy: &[f32], [weight, bias]: [bool; 2]) -> Result<Gradients> {
        let (images, all, _, _) = shape.dims4()?;
        let (channels, plane) = self.sizes(shape)?;
        let size = (channels * plane).max(1);
        let mut shares = vec![Share::default(); images * all];
        with_elements(&self.weight, |weight| {
            with_elements(&self.bias, |bias| {
                let groups = shares
                    .par_chunks_mut(channels.max(1))
                    .zip(x.par_chunks(size))
                    .zip(dy.par_chunks(size));
                groups.enumerate().for_each(|(i, ((shares, x), dy))| {
                    self.group(i, weight, bias, plane)
                        .learn(shares, x, dy, self.spec.eps);
                });
                Ok(())
            })
        })?;
        let dw = weight.then(|| sums::over_images(shares.iter().map(|share| share.scale), all));
        let db = bias.then(|| sums::over_images(shares.iter().map(|share| share.shift), all));
        Ok([dw, db])
    }
}

impl Group<'_> {
    fn learn(&self, shares: &mut [Share], x: &[f32], dy: &[f32], eps: f64) {
        let (mean, rstd) = moments(x, eps);
        let planes = x.chunks(self.plane).zip(dy.chunks(self.plane));
        for (c, (share, (x, dy))) in shares.iter_mut().zip(planes).enumerate() {
            for (x, dy) in x.chunks(BLOCK).zip(dy.chunks(BLOCK)) {
                let [scale, shift] = self.block(c, (mean, rstd), x, dy);
                share.scale += f64::from(scale);
                share.shift += f64::from(shift);
            }
        }
    }

    /// With n the normalised elements and g the gradient where they are scaled and shifted: the sums of `g n` and of `g`.
    fn block(&self, channel: usize, (mean, rstd): (f32, f32), x: &[f32], dy: &[f32]) -> [f32; 2] {
        let (weight, shift) = (self.weight[channel], self.bias[channel]);
        let mut g = [0f32; BLOCK];
        let g = &mut g[..x.len()];
        wide(
            #[inline(always)]
            || {
                for ((g, x), dy) in g.iter_mut().zip(x).zip(dy) {
                    let z = (x - mean) * rstd * weight + shift;
                    let slope = if self.silu { silu_slope(z) } else { 1.0 };
                    *g = dy * slope;
                }
                let scale = sum([&*g, x], |[g, x]| g * ((x - mean) * rstd));
                [scale, sum([&*g], |[g]| g)]
            },
        )
    }
}
