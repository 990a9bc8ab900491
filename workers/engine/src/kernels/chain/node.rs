//! What candle sees.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::super::op::{self, Value};
use super::link::{Link, back};

/// What a chain, or the sum of two, is to candle.
pub(super) struct Node {
    /// Until candle takes it.
    value: Mutex<Option<Value>>,
    /// From each source. They are let go of one by one on the way back.
    links: Mutex<Option<[Vec<Link>; 2]>>,
}

impl Node {
    pub(super) fn new(value: Value, links: [Vec<Link>; 2]) -> Self {
        Self {
            value: Mutex::new(Some(value)),
            links: Mutex::new(Some(links)),
        }
    }

    fn cpu_value(&self) -> Result<(CpuStorage, Shape)> {
        match take(&self.value) {
            Some(Value::Elements(y, shape)) => Ok((CpuStorage::F32(y), shape)),
            // Of a fork that went no further.
            Some(Value::Tensor(y)) => {
                let elements = op::with_elements(&y, |y| Ok(y.to_vec()))?;
                Ok((CpuStorage::F32(elements), y.shape().clone()))
            }
            None => bail!("chain: the value was taken before"),
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda_value(&self) -> Result<(candle_core::CudaStorage, Shape)> {
        match take(&self.value) {
            Some(Value::Tensor(y)) => super::super::cuda::storage_of(&y),
            _ => bail!("chain: the value is not on the device, or was taken before"),
        }
    }

    fn gradients(&self, dy: &Tensor) -> Result<[Tensor; 2]> {
        let Some([first, second]) = take(&self.links) else {
            bail!("chain: a graph with frozen operators goes back once; what that reads is gone");
        };
        Ok([back(first, dy)?, back(second, dy)?])
    }
}

fn take<T>(from: &Mutex<Option<T>>) -> Option<T> {
    from.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl CustomOp1 for Node {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.cpu_value()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        _: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        self.cuda_value()
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let [dx, _] = self.gradients(dy)?;
        Ok(Some(dx))
    }
}

impl CustomOp2 for Node {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.cpu_value()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        _: &candle_core::CudaStorage,
        _: &Layout,
        _: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        self.cuda_value()
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [da, db] = self.gradients(dy)?;
        Ok((Some(da), Some(db)))
    }
}
