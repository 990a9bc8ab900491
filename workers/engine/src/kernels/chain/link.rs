//! The way back through operators.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::super::op::{self, FrozenOp};

/// Operators, and what the backward pass of the first one is told of its input.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) ops: Vec<Arc<dyn FrozenOp>>,
    pub(super) input: Tensor,
}

impl Link {
    pub(super) fn new(op: impl FrozenOp, x: Tensor) -> Result<Self> {
        Ok(Self {
            input: kept(&op, x)?,
            ops: vec![Arc::new(op)],
        })
    }

    /// The gradient of the input. What the later operators read is computed again.
    fn gradient(mut self, dy: &Tensor) -> Result<Tensor> {
        let mut x = self.input.clone();
        let mut inputs = Vec::with_capacity(self.ops.len());
        for op in &self.ops[..self.ops.len() - 1] {
            let y = op::value(&**op, &x)?.into_tensor(x.device())?;
            inputs.push(kept(&**op, x)?);
            x = y;
        }
        inputs.push(x);
        let mut gradient = dy.clone();
        while let (Some(op), Some(x)) = (self.ops.pop(), inputs.pop()) {
            gradient = op::gradient(&*op, &x, &gradient)?;
        }
        Ok(gradient)
    }
}

/// An input as the operator's backward pass wants it.
pub(in crate::kernels) fn kept(op: &dyn FrozenOp, x: Tensor) -> Result<Tensor> {
    if op.reads_input() {
        return Ok(x);
    }
    // One element stands for all. Who reads it against its word is found out by gradients that are NaN.
    Tensor::full(f32::NAN, (), x.device())?
        .to_dtype(x.dtype())?
        .broadcast_as(x.shape())
}

/// The gradient at the source of `links`, given that of their end. Each is let go of when it was passed.
pub(super) fn back(mut links: Vec<Link>, dy: &Tensor) -> Result<Tensor> {
    let mut gradient = dy.clone();
    while let Some(link) = links.pop() {
        gradient = link.gradient(&gradient)?;
    }
    Ok(gradient)
}
