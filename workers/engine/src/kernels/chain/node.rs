//! What candle sees.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::super::handed::{Handed, take};
use super::super::op::Value;
use super::link::{Link, back};

/// What a chain, or the sum of two, is to candle.
pub(super) struct Node {
    value: Handed,
    /// From each source. They are let go of one by one on the way back.
    links: Mutex<Option<[Vec<Link>; 2]>>,
}

impl Node {
    pub(super) fn new(value: Value, links: [Vec<Link>; 2]) -> Self {
        Self {
            value: Handed::new(value),
            links: Mutex::new(Some(links)),
        }
    }

    fn gradients(&self, dy: &Tensor) -> Result<[Tensor; 2]> {
        let Some([first, second]) = take(&self.links) else {
            bail!("chain: a graph with frozen operators goes back once; what that reads is gone");
        };
        Ok([back(first, dy)?, back(second, dy)?])
    }
}

impl CustomOp1 for Node {
    fn name(&self) -> &'static str {
        "chain"
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
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [da, db] = self.gradients(dy)?;
        Ok((Some(da), Some(db)))
    }
}
