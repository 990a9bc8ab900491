//! Affine maps of the last dimension.

use candle_core::{D, Result, Shape, Tensor, bail};

use super::Chain;
use super::by_candle;
use super::gemm::{Mat, MatMut, Threads, Write, gemm};
use super::op::{self, Frozen, FrozenOp, with_elements, with_frozen};
use super::product::{Pair, Panels, product};

/// `x · weightᵀ + bias`: x (.., in), weight (out, in), bias (out) -> (.., out).
///
/// Frozen parameters receive no gradient; trainable ones do.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    Chain::on(x)?.linear(weight, bias)?.end()
}

impl Chain {
    /// As the function [`linear`].
    ///
    /// # Errors
    /// The sizes do not fit.
    pub fn linear(self, weight: &Tensor, bias: Option<&Tensor>) -> Result<Self> {
        let op = FrozenLinear::of(self.shape(), weight, bias)?;
        if by_candle::takes(weight, bias) {
            return Self::on(&by_candle::linear(&self.end()?, weight, bias)?);
        }
        self.through(op, weight, bias)
    }
}

pub(super) struct FrozenLinear {
    pub(super) weight: Tensor,
    pub(super) bias: Option<Tensor>,
}

impl FrozenLinear {
    /// With the values of these parameters, on inputs of this shape.
    fn of(x: &Shape, weight: &Tensor, bias: Option<&Tensor>) -> Result<Self> {
        let (outputs, inputs) = weight.dims2()?;
        if x.dim(D::Minus1)? != inputs || weight.elem_count() == 0 {
            bail!("linear: weight {:?} for an input {:?}", weight.dims(), x.dims());
        }
        if let Some(bias) = bias
            && bias.dims() != [outputs]
        {
            bail!("linear: bias {:?} for {outputs} outputs", bias.dims());
        }
        Ok(Self {
            weight: weight.detach().contiguous()?,
            bias: bias.map(|bias| bias.detach().contiguous()).transpose()?,
        })
    }

    fn sizes(&self) -> (usize, usize) {
        let dims = self.weight.dims();
        (dims[0], dims[1])
    }

    /// `rows · matrix` on a device, in the weight's precision.
    fn product(x: &Tensor, matrix: &Tensor) -> Result<Tensor> {
        let dims = with_last(x.dims(), matrix.dim(1)?);
        let rows = x.reshape(((), matrix.dim(0)?))?.to_dtype(matrix.dtype())?;
        rows.matmul(matrix)?.to_dtype(x.dtype())?.reshape(dims)
    }
}

impl FrozenOp for FrozenLinear {
    fn reads_input(&self) -> bool {
        false
    }

    fn cpu(&self, x: &[f32], shape: &Shape) -> Result<(Vec<f32>, Shape)> {
        let (outputs, inputs) = self.sizes();
        let rows = x.len() / inputs;
        let mut y = match &self.bias {
            Some(bias) => with_elements(bias, |bias| Ok(bias.repeat(rows)))?,
            None => vec![0.0; rows * outputs],
        };
        let write = if self.bias.is_some() {
            Write::Add
        } else {
            Write::Over
        };
        let x = Mat::packed(x, rows, inputs);
        with_frozen(&self.weight, |weight| {
            match weight {
                Frozen::F32(weight) => {
                    let weight = Mat::packed(weight, outputs, inputs).t();
                    let out = MatMut::packed(&mut y, rows, outputs);
                    gemm(out, x, weight, write, Threads::All);
                }
                Frozen::Bf16(weight) => {
                    let weight = Panels::right(Mat::packed(weight, outputs, inputs).t());
                    let out = MatMut::packed(&mut y, rows, outputs);
                    product(&Panels::<Pair>::left(x), &weight, out, write);
                }
            }
            Ok(())
        })?;
        Ok((y, with_last(shape.dims(), outputs).into()))
    }

    fn device(&self, x: &Tensor) -> Result<Tensor> {
        let y = Self::product(x, &self.weight.t()?)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(&bias.to_dtype(y.dtype())?),
            None => Ok(y),
        }
    }

    fn device_gradient(&self, _x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        Self::product(dy, &self.weight)
    }

    fn cpu_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (outputs, inputs) = self.sizes();
        let rows = x.elem_count() / inputs;
        let mut dx = vec![0.0; rows * inputs];
        with_elements(dy, |dy| {
            let dy = Mat::packed(dy, rows, outputs);
            with_frozen(&self.weight, |weight| {
                match weight {
                    Frozen::F32(weight) => {
                        let weight = Mat::packed(weight, outputs, inputs);
                        let out = MatMut::packed(&mut dx, rows, inputs);
                        gemm(out, dy, weight, Write::Over, Threads::All);
                    }
                    Frozen::Bf16(weight) => {
                        let weight = Panels::right(Mat::packed(weight, outputs, inputs));
                        let out = MatMut::packed(&mut dx, rows, inputs);
                        product(&Panels::<Pair>::left(dy), &weight, out, Write::Over);
                    }
                }
                Ok(())
            })
        })?;
        op::tensor_like(x, dx)
    }
}

/// `dims` with its last entry replaced.
pub(super) fn with_last(dims: &[usize], last: usize) -> Vec<usize> {
    let mut dims = dims.to_vec();
    if let Some(d) = dims.last_mut() {
        *d = last;
    }
    dims
}
