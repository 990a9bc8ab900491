//! What a job needs of a worker.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a stage may run.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// A GPU where there is one, else the CPU.
    #[default]
    Any,
    /// Only a worker with a GPU.
    Gpu,
}

/// A job's demand on its worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resources {
    /// The kind of device.
    pub device: Device,
    /// GPU memory in bytes that must be there; 0 for no demand. Ignored on a CPU.
    pub vram: u64,
}
