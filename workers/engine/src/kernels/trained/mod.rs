//! Operators whose parameters are trained, each as one node of candle's graph.
//!
//! The value and the gradient of the input are those of the frozen operator, which holds the parameters' detached values; the
//! files here add the gradients of the parameters. A node keeps its input and its output. Candle's own operations would also
//! keep what lies between a product, a shift and an activation, and the backward pass of its convolution takes an order of
//! magnitude longer on a CPU.

mod conv2d;
mod group_norm;
mod layer_norm;
mod linear;
mod sums;
#[cfg(test)]
mod tests;

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::Chain;
use super::op::{self, FrozenOp, with_elements};

/// Gradients of weight and bias; none where none is wanted.
pub(super) type Gradients = [Option<Vec<f32>>; 2];

/// An operator that knows the gradients of its parameters on a CPU.
pub(super) trait Learns: FrozenOp {
    /// Those of weight and bias, as far as they are `wanted`, given the elements of the input, which has this shape, and of the
    /// gradient of the output.
    fn learn(&self, x: &[f32], shape: &Shape, dy: &[f32], wanted: [bool; 2]) -> Result<Gradients>;
}

/// Whether one of the parameters is to receive a gradient.
pub fn is_trained(weight: &Tensor, bias: Option<&Tensor>) -> bool {
    weight.track_op() || bias.is_some_and(Tensor::track_op)
}

impl Chain {
    /// Through an operator that holds the detached values of these parameters. If one of them is trained, the chain ends before
    /// it and another begins behind it.
    pub(super) fn through(self, op: impl Learns, weight: &Tensor, bias: Option<&Tensor>) -> Result<Self> {
        if !is_trained(weight, bias) {
            return self.then(op);
        }
        let (x, op) = (self.end()?, Trained(op));
        let y = match bias {
            Some(bias) => x.apply_op3(weight, bias, op)?,
            None => x.apply_op2(weight, op)?,
        };
        Self::on(&y)
    }
}

/// The node: of input and weight, or of input, weight and bias.
struct Trained<F>(F);

impl<F: Learns> Trained<F> {
    /// Straight from the input that candle holds out. The parameters it holds out beside it are the operator's own.
    fn value(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (y, shape) = self.0.cpu(op::elements(x, layout)?, layout.shape())?;
        Ok((CpuStorage::F32(y), shape))
    }

    /// The gradients of those operands that are tracked: the input, the weight and the bias.
    fn gradients(
        &self,
        x: &Tensor,
        parameters: [Option<&Tensor>; 2],
        dy: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let dy = dy.contiguous()?;
        let [dw, db] = self.learnt(x, parameters, &dy)?;
        let dx = if x.track_op() {
            Some(op::gradient(&self.0, &x.detach(), &dy)?)
        } else {
            None
        };
        Ok([dx, dw, db])
    }

    fn learnt(
        &self,
        x: &Tensor,
        parameters: [Option<&Tensor>; 2],
        dy: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        let wanted = parameters.map(|parameter| parameter.is_some_and(Tensor::track_op));
        let gradients = with_elements(x, |elements| {
            with_elements(dy, |dy| self.0.learn(elements, x.shape(), dy, wanted))
        })?;
        let [weight, bias] = parameters;
        let [dw, db] = gradients;
        Ok([shaped(dw, weight)?, shaped(db, bias)?])
    }
}

/// A parameter's gradient in the parameter's shape.
fn shaped(gradient: Option<Vec<f32>>, parameter: Option<&Tensor>) -> Result<Option<Tensor>> {
    let pair = gradient.zip(parameter);
    pair.map(|(gradient, parameter)| op::tensor_like(parameter, gradient))
        .transpose()
}

impl<F: Learns> CustomOp2 for Trained<F> {
    fn name(&self) -> &'static str {
        "trained"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.value(x, layout)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [dx, dw, _] = self.gradients(x, [Some(weight), None], dy)?;
        Ok((dx, dw))
    }
}

impl<F: Learns> CustomOp3 for Trained<F> {
    fn name(&self) -> &'static str {
        "trained"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.value(x, layout)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dx, dw, db] = self.gradients(x, [Some(weight), Some(bias)], dy)?;
        Ok((dx, dw, db))
    }
}
