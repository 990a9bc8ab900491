//! How the GPUs are: memory, load, heat.

use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::error::NvmlError;

/// The GPUs' driver, where there is one.
pub struct Sensors(Option<Driver>);

struct Driver {
    nvml: Nvml,
    /// The name of the GPU that this process computes on.
    in_use: Option<String>,
}

/// One GPU at one moment. What a GPU does not tell is absent: parts of a divided one have no load of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The driver's number of it, which need not be CUDA's.
    pub index: u32,
    /// As the driver calls it.
    pub name: String,
    /// Whether this process computes on it.
    pub in_use: bool,
    /// Bytes, of all processes together.
    pub memory_used: Option<u64>,
    /// Bytes.
    pub memory_total: Option<u64>,
    /// Percent of the last moments in which it computed.
    pub utilisation: Option<u64>,
    /// Degrees Celsius.
    pub temperature: Option<u64>,
}

impl Sensors {
    /// Whatever answers; nothing does on a machine without a GPU. `in_use` is the driver's name of the GPU that was chosen to
    /// compute on: the driver does not know whether one was.
    pub fn open(in_use: Option<String>) -> Self {
        match Nvml::init() {
            Ok(nvml) => Self(Some(Driver { nvml, in_use })),
            Err(reason) => {
                tracing::debug!(%reason, "no GPU is watched");
                Self(None)
            }
        }
    }

    /// Every GPU that the driver shows this process, whichever it computes on.
    pub fn read(&self) -> Vec<Reading> {
        let Some(driver) = &self.0 else { return Vec::new() };
        let count = driver.nvml.device_count().unwrap_or(0);
        (0..count)
            .filter_map(|index| driver.reading(index).ok())
            .collect()
    }
}

impl Driver {
    fn reading(&self, index: u32) -> Result<Reading, NvmlError> {
        let gpu = self.nvml.device_by_index(index)?;
        let memory = gpu.memory_info().ok();
        Ok(Reading {
            index,
            name: gpu.name()?,
            in_use: is_chosen(self.in_use.as_deref(), gpu.uuid().ok().as_deref()),
            memory_used: memory.as_ref().map(|memory| memory.used),
            memory_total: memory.as_ref().map(|memory| memory.total),
            utilisation: gpu.utilization_rates().ok().map(|rates| rates.gpu.into()),
            temperature: gpu.temperature(TemperatureSensor::Gpu).ok().map(Into::into),
        })
    }
}

/// Whether a GPU of this name is the one that was chosen. Where none was, a GPU without a name is not it.
fn is_chosen(chosen: Option<&str>, name: Option<&str>) -> bool {
    chosen.is_some() && chosen == name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_gpu_that_was_chosen_is_in_use() {
        assert!(is_chosen(Some("GPU-1"), Some("GPU-1")));
        assert!(!is_chosen(Some("GPU-1"), Some("GPU-2")));
        assert!(!is_chosen(Some("GPU-1"), None));
        assert!(!is_chosen(None, Some("GPU-1")));
        assert!(!is_chosen(None, None));
    }
}
