//! Sums of two activations of which only one may be tracked.
//!
//! Candle's own addition stores a gradient for both operands. In a frozen network one of them is often a constant
//! (the residual before the first trained tensor, every time embedding), whose full-size gradient nobody reads.

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::op::{self, FrozenOp, with_elements};

/// Elements that are worth a task.
const PART: usize = 1 << 14;

/// `x + y`, two tensors of one shape.
pub fn add(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    if x.dims() != y.dims() {
        bail!("add: shapes {:?} and {:?} differ", x.dims(), y.dims());
    }
    match (x.track_op(), y.track_op()) {
        (true, true) => x + y,
        (false, true) => shift(y, x),
        _ => shift(x, y),
    }
}

/// Adds one number per sample and channel: x (b, c, h, w), shift (b, c).
pub fn add_per_channel(x: &Tensor, by: &Tensor) -> Result<Tensor> {
    let (b, c, _, _) = x.dims4()?;
    if by.dims() != [b, c] {
        bail!(
            "add_per_channel: shift {:?} for an input {:?}",
            by.dims(),
            x.dims()
        );
    }
    if by.track_op() {
        return x.broadcast_add(&by.reshape((b, c, 1, 1))?);
    }
    shift(x, by)
}

fn shift(x: &Tensor, by: &Tensor) -> Result<Tensor> {
    op::apply(x, Shift { by: by.contiguous()? })
}

/// Each element of `by` is added to the same number of consecutive elements.
pub(super) struct Shift {
    pub(super) by: Tensor,
}

impl FrozenOp for Shift {
    const NAME: &'static str = "shift";

    fn cpu(&self, x: &[f32], shape: &Shape) -> Result<(Vec<f32>, Shape)> {
        let run = x.len().checked_div(self.by.elem_count()).unwrap_or(1).max(1);
        let y = with_elements(&self.by, |by| {
            let mut y = vec![0.0; x.len()];
            if run == 1 {
                let parts = y
                    .par_chunks_mut(PART)
                    .zip(x.par_chunks(PART))
                    .zip(by.par_chunks(PART));
                parts.for_each(|((y, x), by)| {
                    y.iter_mut().zip(x).zip(by).for_each(|((y, x), by)| *y = x + by);
                });
                return Ok(y);
            }
            let runs = y.par_chunks_mut(run).zip(x.par_chunks(run)).zip(by);
            let shifted = |((y, x), by): ((&mut [f32], &[f32]), &f32)| {
                y.iter_mut().zip(x).for_each(|(y, x)| *y = x + by);
            };
            runs.with_min_len(PART / run + 1).for_each(shifted);
            Ok(y)
        })?;
        Ok((y, shape.clone()))
    }

    fn device(&self, x: &Tensor) -> Result<Tensor> {
        let mut dims = self.by.dims().to_vec();
        dims.resize(x.rank(), 1);
        x.broadcast_add(&self.by.reshape(dims)?)
    }

    fn cpu_gradient(&self, _x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        Ok(dy.clone())
    }

    fn device_gradient(&self, _x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        Ok(dy.clone())
    }
}
