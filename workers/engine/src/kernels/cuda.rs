//! CUDA storages in and out of candle's ordinary operations, for custom operators without own CUDA code.

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::op::BackpropOp;
use candle_core::{CudaStorage, Layout, Result, Shape, Storage, Tensor, bail};

/// Computes `work` on untracked copies of the operands and hands its storage back.
pub(super) fn through(
    operands: &[(&CudaStorage, &Layout)],
    work: impl FnOnce(&[Tensor]) -> Result<Tensor>,
) -> Result<(CudaStorage, Shape)> {
    let tensors = operands
        .iter()
        .map(|(storage, layout)| {
            let storage = Storage::Cuda(packed(storage, layout)?);
            Ok(Tensor::from_storage(
                storage,
                layout.shape().clone(),
                BackpropOp::none(),
                false,
            ))
        })
        .collect::<Result<Vec<_>>>()?;
    storage_of(&work(&tensors)?)
}

/// The storage of a CUDA tensor, packed.
pub(super) fn storage_of(t: &Tensor) -> Result<(CudaStorage, Shape)> {
    let (storage, layout) = t.storage_and_layout();
    match &*storage {
        Storage::Cuda(storage) => Ok((packed(storage, layout)?, layout.shape().clone())),
        _ => bail!("kernel result left the CUDA device"),
    }
}

/// Exactly the elements `layout` names, from offset 0.
fn packed(storage: &CudaStorage, layout: &Layout) -> Result<CudaStorage> {
    let mut copy = storage.device().zeros_impl(layout.shape(), storage.dtype())?;
    storage.copy_strided_src(&mut copy, 0, layout)?;
    Ok(copy)
}
