//! Operators of one input whose other operands are constants that they own.

use candle_core::{CpuStorage, DType, Device, Layout, Result, Shape, Storage, Tensor, bail};
use half::bf16;

/// An operator with a backward pass to its only input.
pub(super) trait FrozenOp: Send + Sync + 'static {
    /// Whether the gradients look at the elements of the input. Where they do not, what they are given as `x` may have its
    /// shape and type alone.
    fn reads_input(&self) -> bool;

    /// The value on a CPU, from the elements of a contiguous input.
    fn cpu(&self, x: &[f32], shape: &Shape) -> Result<(Vec<f32>, Shape)>;

    /// The value on any other device, by candle's operations. `x` is detached.
    fn device(&self, x: &Tensor) -> Result<Tensor>;

    /// The gradient of the input on a CPU, given the input and the gradient of the output; both detached.
    fn cpu_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor>;

    /// The same on any other device.
    fn device_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor>;
}

/// What an operator made, before candle has it.
pub(super) enum Value {
    /// On a CPU; contiguous.
    Elements(Vec<f32>, Shape),
    /// Elsewhere, or what candle has had all along; contiguous and detached.
    Tensor(Tensor),
}

impl Value {
    pub(super) fn shape(&self) -> &Shape {
        match self {
            Self::Elements(_, shape) => shape,
            Self::Tensor(tensor) => tensor.shape(),
        }
    }

    /// As an untracked tensor on `device`, which it is on.
    pub(super) fn into_tensor(self, device: &Device) -> Result<Tensor> {
        match self {
            Self::Elements(elements, shape) => Tensor::from_vec(elements, shape, device),
            Self::Tensor(tensor) => Ok(tensor),
        }
    }
}

/// The value at a detached, contiguous `x`.
pub(super) fn value(op: &dyn FrozenOp, x: &Tensor) -> Result<Value> {
    if !x.device().is_cpu() {
        return op.device(x)?.contiguous().map(Value::Tensor);
    }
    let (y, shape) = with_elements(x, |elements| op.cpu(elements, x.shape()))?;
    Ok(Value::Elements(y, shape))
}

/// The gradient of the input `x`, given that of the output; both detached.
pub(super) fn gradient(op: &dyn FrozenOp, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
    let dy = dy.contiguous()?;
    if x.device().is_cpu() {
        op.cpu_gradient(x, &dy)
    } else {
        op.device_gradient(x, &dy)
    }
}

/// The elements of a contiguous f32 CPU storage.
pub(super) fn elements<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(all), Some((start, end))) => Ok(&all[start..end]),
        (CpuStorage::F32(_), None) => bail!("kernel input must be contiguous, got {layout:?}"),
        (other, _) => bail!("kernel input must be f32, got {:?}", dtype(other)),
    }
}

fn dtype(storage: &CpuStorage) -> DType {
    candle_core::backend::BackendStorage::dtype(storage)
}

/// Runs `work` on the elements of a CPU tensor, copying only if it is not contiguous.
pub(super) fn with_elements<R>(t: &Tensor, work: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let t = t.contiguous()?;
    let (storage, layout) = t.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => work(elements(storage, layout)?),
        _ => bail!("kernel operand is not on the CPU"),
    }
}

/// The elements of a frozen matrix.
#[derive(Clone, Copy)]
pub(super) enum Frozen<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
}

/// Runs `work` on the elements of a contiguous parameter on the CPU.
pub(super) fn with_frozen<R>(t: &Tensor, work: impl FnOnce(Frozen<'_>) -> Result<R>) -> Result<R> {
    let (storage, layout) = t.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::BF16(all)), Some((start, end))) => work(Frozen::Bf16(&all[start..end])),
        (Storage::Cpu(storage), _) => work(Frozen::F32(elements(storage, layout)?)),
        _ => bail!("kernel parameter is not on the CPU"),
    }
}

/// A CPU tensor of the same shape as `like`.
pub(super) fn tensor_like(like: &Tensor, elements: Vec<f32>) -> Result<Tensor> {
    Tensor::from_vec(elements, like.shape().clone(), like.device())
}
