//! What this machine computes on. The only place that asks NVML. [`sensors`]: how its GPUs are.

pub mod sensors;

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;
use vico::job::DeviceFacts;

/// Where the engine computes, and what to tell the coordinator of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComputeDevice {
    /// The GPU's number; `None` for the CPU.
    pub gpu: Option<u32>,
    /// As reported.
    pub facts: DeviceFacts,
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

/// The first GPU where this build can use one and there is one, else the CPU; says in the log why.
pub fn probe() -> ComputeDevice {
    match first_gpu() {
        Ok(facts) if cfg!(feature = "cuda") => {
            tracing::info!(
                gpu = facts.name,
                vram = facts.vram,
                driver = facts.driver,
                "computing on the GPU"
            );
            ComputeDevice { gpu: Some(0), facts }
        }
        Ok(facts) => {
            tracing::warn!(
                gpu = facts.name,
                "computing on the CPU: this build cannot use the GPU (feature `cuda`)"
            );
            ComputeDevice::cpu()
        }
        Err(reason) => {
            tracing::info!(%reason, "computing on the CPU: no GPU driver answers");
            ComputeDevice::cpu()
        }
    }
}

fn first_gpu() -> Result<DeviceFacts, NvmlError> {
    let nvml = Nvml::init()?;
    let gpu = nvml.device_by_index(0)?;
    let compute = gpu.cuda_compute_capability()?;
    Ok(DeviceFacts {
        name: gpu.name()?,
        vram: gpu.memory_info()?.total,
        driver: nvml.sys_driver_version()?,
        compute: format!("{}.{}", compute.major, compute.minor),
    })
}
