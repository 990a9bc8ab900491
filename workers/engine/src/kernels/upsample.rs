//! Doubling a map.

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use super::Chain;
use super::op::{self, FrozenOp, with_elements};

/// Repeats every pixel twice in both directions: (b, c, h, w) -> (b, c, 2h, 2w).
pub fn upsample_nearest(x: &Tensor) -> Result<Tensor> {
    Chain::on(x)?.upsample_nearest()?.end()
}

impl Chain {
    /// As the function [`upsample_nearest`].
    ///
    /// # Errors
    /// It is no map.
    pub fn upsample_nearest(self) -> Result<Self> {
        self.shape().dims4()?;
        self.then(Upsample)
    }
}

/// Candle's own backward pass overwrites gradients of other consumers and runs one convolution per channel.
pub(super) struct Upsample;

impl FrozenOp for Upsample {
    fn reads_input(&self) -> bool {
        false
    }

    fn cpu(&self, x: &[f32], shape: &Shape) -> Result<(Vec<f32>, Shape)> {
        let (b, c, h, w) = shape.dims4()?;
        let mut y = vec![0.0; 4 * x.len()];
        let rows = y
            .par_chunks_mut((4 * w).max(1))
            .zip(x.par_chunks(w.max(1)))
            .with_min_len(64);
        rows.for_each(|(pair, row)| {
            let (upper, lower) = pair.split_at_mut(2 * w);
            upper
                .chunks_exact_mut(2)
                .zip(row)
                .for_each(|(two, v)| two.fill(*v));
            lower.copy_from_slice(upper);
        });
        Ok((y, (b, c, 2 * h, 2 * w).into()))
    }

    fn device(&self, x: &Tensor) -> Result<Tensor> {
        let (_, _, h, w) = x.dims4()?;
        x.upsample_nearest2d(2 * h, 2 * w)
    }

    fn device_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (b, c, h, w) = x.dims4()?;
        dy.reshape((b * c, h, 2, w, 2))?
            .sum((2, 4))?
            .reshape((b, c, h, w))
    }

    fn cpu_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (_, _, _, w) = x.dims4()?;
        let mut dx = vec![0.0; x.elem_count()];
        with_elements(dy, |dy| {
            let rows = dx
                .par_chunks_mut(w.max(1))
                .zip(dy.par_chunks((4 * w).max(1)))
                .with_min_len(64);
            rows.for_each(|(row, pair)| {
                let (upper, lower) = pair.split_at(2 * w);
                for (i, v) in row.iter_mut().enumerate() {
                    *v = (upper[2 * i] + upper[2 * i + 1]) + (lower[2 * i] + lower[2 * i + 1]);
                }
            });
            Ok(())
        })?;
        op::tensor_like(x, dx)
    }
}
