//! Activation checkpointing: a block keeps its inputs only and is computed again in the backward pass.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, Var, bail};

use super::handed::Handed;
use super::op::Value;

/// `f(inputs)`, of which nothing inside is stored: the backward pass runs `f` once more.
///
/// Takes 1 to 3 inputs. `f` must be a pure function of them without trainable tensors of its own; since a gradient
/// of such a tensor would be lost, one that is noticed is an error.
pub fn checkpoint(
    f: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    inputs: &[Tensor],
) -> Result<Tensor> {
    if !inputs.iter().any(Tensor::track_op) {
        return f(inputs);
    }
    let detached: Vec<Tensor> = inputs.iter().map(Tensor::detach).collect();
    let value = f(&detached)?.contiguous()?;
    if value.track_op() {
        bail!("checkpoint: the block holds a trainable tensor, whose gradient would be lost");
    }
    let block = Block {
        f: Box::new(f),
        value: Handed::new(Value::Tensor(value)),
    };
    match inputs {
        [x] => x.apply_op1(block),
        [x, y] => x.apply_op2(y, block),
        [x, y, z] => x.apply_op3(y, z, block),
        _ => bail!("checkpoint: 1 to 3 inputs, got {}", inputs.len()),
    }
}

type BlockFn = Box<dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync>;

struct Block {
    f: BlockFn,
    /// The value of the forward pass.
    value: Handed,
}

impl Block {
    /// The gradients of those inputs that are tracked, by running the block again on variables.
    fn gradients<const N: usize>(&self, inputs: [&Tensor; N], dy: &Tensor) -> Result<[Option<Tensor>; N]> {
        let mut leaves = Vec::with_capacity(N);
        for input in inputs {
            leaves.push(if input.track_op() {
                Some(Var::from_tensor(&input.detach())?)
            } else {
                None
            });
        }
        let arguments: Vec<Tensor> = leaves
            .iter()
            .zip(inputs)
            .map(|(leaf, input)| {
                leaf.as_ref()
                    .map_or_else(|| input.clone(), |leaf| leaf.as_tensor().clone())
            })
            .collect();
        // The gradient of <f(x), dy> is that of f pulled back from dy.
        let mut grads = ((self.f)(&arguments)? * dy)?.sum_all()?.backward()?;
        Ok(std::array::from_fn(|i| {
            let leaf = leaves[i].as_ref()?;
            // A block may ignore an input; candle still expects an entry for every tracked one.
            grads.remove(leaf).or_else(|| leaf.zeros_like().ok())
        }))
    }
}

impl CustomOp1 for Block {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.value.cpu()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        _: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        self.value.cuda()
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let [dx] = self.gradients([x], dy)?;
        Ok(dx)
    }
}

impl CustomOp2 for Block {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.value.cpu()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        _: &candle_core::CudaStorage,
        _: &Layout,
        _: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        self.value.cuda()
    }

    fn bwd(
        &self,
        x: &Tensor,
        y: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [dx, d2] = self.gradients([x, y], dy)?;
        Ok((dx, d2))
    }
}

impl CustomOp3 for Block {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.value.cpu()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        _: &candle_core::CudaStorage,
        _: &Layout,
        _: &candle_core::CudaStorage,
        _: &Layout,
        _: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        self.value.cuda()
    }

    fn bwd(
        &self,
        x: &Tensor,
        y: &Tensor,
        z: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dx, d2, d3] = self.gradients([x, y, z], dy)?;
        Ok((dx, d2, d3))
    }
}
