//! The seam to candle: an operator of one input whose other operands are constants it owns.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Storage, Tensor, bail};
use half::bf16;

/// An operator with a backward pass to its only input.
pub(super) trait FrozenOp: Send + Sync + 'static {
    /// Shown in candle's errors.
    const NAME: &'static str;

    /// The value on a CPU, from the elements of a contiguous input.
    fn cpu(&self, x: &[f32], shape: &Shape) -> Result<(Vec<f32>, Shape)>;

    /// The value on any other device, by candle's operations. `x` is detached.
    fn device(&self, x: &Tensor) -> Result<Tensor>;

    /// The gradient of the input on a CPU, given the input and the gradient of the output; both detached.
    fn cpu_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor>;

    /// The same on any other device.
    fn device_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor>;
}

/// Applies `op` to `x`, recording it if `x` leads to a variable.
pub(super) fn apply<F: FrozenOp>(x: &Tensor, op: F) -> Result<Tensor> {
    let x = x.contiguous()?;
    if !x.device().is_cpu() && !x.track_op() {
        return op.device(&x);
    }
    x.apply_op1(Recorded(op))
}

struct Recorded<F>(F);

impl<F: FrozenOp> CustomOp1 for Recorded<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (y, shape) = self.0.cpu(elements(storage, layout)?, layout.shape())?;
        Ok((CpuStorage::F32(y), shape))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        storage: &candle_core::CudaStorage,
        layout: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        super::cuda::through(&[(storage, layout)], |x| self.0.device(&x[0]))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let (x, dy) = (x.detach(), dy.contiguous()?);
        let dx = if x.device().is_cpu() {
            self.0.cpu_gradient(&x, &dy)
        } else {
            self.0.device_gradient(&x, &dy)
        };
        dx.map(Some)
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
