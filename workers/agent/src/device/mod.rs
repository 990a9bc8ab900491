//! What this machine computes on. The only place that asks NVML. [`sensors`]: how its GPUs are.

mod identity;
pub mod sensors;

use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};
use vico::job::DeviceFacts;

/// Where the engine computes, and what to tell the coordinator of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComputeDevice {
    /// `None` for the CPU.
    pub gpu: Option<Gpu>,
    /// As reported.
    pub facts: DeviceFacts,
}

/// A GPU as others know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// CUDA's number.
    pub number: u32,
    /// The driver's name, for a part of a GPU that of the whole; `None` where the driver tells none.
    pub uuid: Option<String>,
}

impl ComputeDevice {
    /// The CPU.
    pub fn cpu() -> Self {
        let name = "cpu".to_owned();
        let facts = DeviceFacts {
            name,
            ..DeviceFacts::default()
        };
        Self { gpu: None, facts }
    }
}

/// CUDA's first GPU where this build can use one and there is one, else the CPU; says in the log why.
pub fn probe() -> ComputeDevice {
    match first_gpu() {
        Ok(device) if cfg!(feature = "cuda") => {
            let facts = &device.facts;
            tracing::info!(
                gpu = facts.name,
                vram = facts.vram,
                driver = facts.driver,
                "computing on the GPU"
            );
            device
        }
        Ok(device) => {
            tracing::warn!(
                gpu = device.facts.name,
                "computing on the CPU: this build cannot use the GPU (feature `cuda`)"
            );
            ComputeDevice::cpu()
        }
        Err(reason) if cfg!(feature = "cuda") => {
            tracing::warn!(
                reason = format!("{reason:#}"),
                "computing on the CPU: no GPU answers"
            );
            ComputeDevice::cpu()
        }
        Err(reason) => {
            tracing::info!(reason = format!("{reason:#}"), "computing on the CPU");
            ComputeDevice::cpu()
        }
    }
}

fn first_gpu() -> anyhow::Result<ComputeDevice> {
    let nvml = Nvml::init()?;
    let gpu = identity::first(&nvml)?;
    let compute = told(&gpu, Device::cuda_compute_capability)?;
    let facts = DeviceFacts {
        name: told(&gpu, Device::name)?,
        vram: told(&gpu, Device::memory_info)?.total,
        driver: nvml.sys_driver_version()?,
        compute: format!("{}.{}", compute.major, compute.minor),
    };
    let gpu = Gpu {
        number: 0,
        uuid: identity::of_whole(&gpu),
    };
    Ok(ComputeDevice {
        gpu: Some(gpu),
        facts,
    })
}

/// What a GPU tells of itself. What a part of one does not tell, the whole does.
fn told<'n, T>(gpu: &Device<'n>, ask: impl Fn(&Device<'n>) -> Result<T, NvmlError>) -> Result<T, NvmlError> {
    ask(gpu).or_else(|error| match gpu.mig_parent_device() {
        Ok(whole) => ask(&whole),
        Err(_) => Err(error),
    })
}
