//! A value that was computed before candle asks for it.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, Result, Shape, bail};

use super::op::{Value, with_elements};

/// What an operator of candle's answers with, once.
pub(super) struct Handed(Mutex<Option<Value>>);

impl Handed {
    pub(super) fn new(value: Value) -> Self {
        Self(Mutex::new(Some(value)))
    }

    /// As candle takes it on a CPU.
    pub(super) fn cpu(&self) -> Result<(CpuStorage, Shape)> {
        match take(&self.0) {
            Some(Value::Elements(y, shape)) => Ok((CpuStorage::F32(y), shape)),
            Some(Value::Tensor(y)) => {
                let elements = with_elements(&y, |y| Ok(y.to_vec()))?;
                Ok((CpuStorage::F32(elements), y.shape().clone()))
            }
            None => bail!("the value was taken before"),
        }
    }

    /// As candle takes it on a GPU.
    #[cfg(feature = "cuda")]
    pub(super) fn cuda(&self) -> Result<(candle_core::CudaStorage, Shape)> {
        match take(&self.0) {
            Some(Value::Tensor(y)) => super::cuda::storage_of(&y),
            _ => bail!("the value is not on the device, or was taken before"),
        }
    }
}

/// What is there, which then is gone.
pub(super) fn take<T>(from: &Mutex<Option<T>>) -> Option<T> {
    from.lock().unwrap_or_else(PoisonError::into_inner).take()
}
