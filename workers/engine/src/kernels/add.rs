//! Sums of two activations, of which one is often a constant: the residual before the first trained tensor, every time
//! embedding. Candle's own addition would store its gradient in full size, which nobody reads.

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::Chain;
use super::activation::CHUNK;
use super::op::{FrozenOp, with_elements};

/// `x + y`, two tensors of one shape.
pub fn add(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    Chain::on(x)?.plus(Chain::on(y)?)
}

impl Chain {
    /// Adds one number per sample and channel: (b, c, h, w), shift (b, c).
    ///
    /// # Errors
    /// The sizes do not fit.
    pub fn add_per_channel(self, by: &Tensor) -> Result<Self> {
        let (b, c, _, _) = self.shape().dims4()?;
        if by.dims() != [b, c] {
            bail!(
                "add_per_channel: shift {:?} for an input {:?}",
                by.dims(),
                self.shape()
            );
        }
        if by.track_op() {
            return Self::on(&self.end()?.broadcast_add(&by.reshape((b, c, 1, 1))?)?);
        }
        self.then(Shift { by: by.contiguous()? })
    }
}

/// Each element of `by` (b, c) is added to a plane.
pub(super) struct Shift {
    pub(super) by: Tensor,
}

impl FrozenOp for Shift {
    fn reads_input(&self) -> bool {
        false
    }

    fn cpu(&self, x: &[f32], shape: &Shape) -> Result<(Vec<f32>, Shape)> {
        let plane = x.len().checked_div(self.by.elem_count()).unwrap_or(1).max(1);
        let mut y = vec![0.0; x.len()];
        with_elements(&self.by, |by| {
            let planes = y.par_chunks_mut(plane).zip(x.par_chunks(plane)).zip(by);
            let shifted = |((y, x), by): ((&mut [f32], &[f32]), &f32)| {
                y.iter_mut().zip(x).for_each(|(y, x)| *y = x + by);
            };
            planes.with_min_len(CHUNK / plane + 1).for_each(shifted);
            Ok(())
        })?;
        Ok((y, shape.clone()))
    }

    fn device(&self, x: &Tensor) -> Result<Tensor> {
        let (b, c) = self.by.dims2()?;
        x.broadcast_add(&self.by.reshape((b, c, 1, 1))?)
    }

    fn cpu_gradient(&self, _x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        Ok(dy.clone())
    }

    fn device_gradient(&self, _x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        Ok(dy.clone())
    }
}
