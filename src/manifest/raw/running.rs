//! What jobs need and what happens when they fail, as it is written. None of it changes a result.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::job::Device;

/// What jobs need of their workers, by stage.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawResources {
    /// Jobs that draw class images.
    pub class_images: RawDemand,
    /// Train jobs.
    pub train: RawDemand,
    /// Sample jobs.
    pub sample: RawDemand,
    /// Score jobs.
    pub score: RawDemand,
}

/// What a job needs of its worker.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawDemand {
    /// The kind of device.
    pub device: Device,
    /// GPU memory that must be there, `16GiB`; ignored on a CPU.
    #[schemars(extend("examples" = ["16GiB"]))]
    pub vram: String,
}

impl Default for RawDemand {
    fn default() -> Self {
        Self {
            device: Device::Any,
            vram: "0GiB".to_owned(),
        }
    }
}

/// What happens when attempts fail.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawRetry {
    /// Attempts in all.
    #[schemars(range(min = 1, max = 100))]
    pub attempts: u32,
    /// How long to wait between them.
    pub backoff: RawBackoff,
    /// How often training is saved so that another worker can go on, `50 steps`.
    #[schemars(extend("examples" = ["50 steps"]))]
    pub checkpoint_every: String,
}

impl Default for RawRetry {
    fn default() -> Self {
        Self {
            attempts: 4,
            backoff: RawBackoff::default(),
            checkpoint_every: "50 steps".to_owned(),
        }
    }
}

/// Exponential back-off.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawBackoff {
    /// After the first failure, `10s`.
    #[schemars(extend("examples" = ["10s"]))]
    pub initial: String,
    /// Growth per further failure.
    #[schemars(range(min = 1, max = 100))]
    pub factor: f64,
    /// Never longer than this, `5m`.
    #[schemars(extend("examples" = ["5m"]))]
    pub max: String,
}

impl Default for RawBackoff {
    fn default() -> Self {
        Self {
            initial: "10s".to_owned(),
            factor: 2.0,
            max: "5m".to_owned(),
        }
    }
}
