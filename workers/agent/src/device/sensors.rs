//! How the GPUs are: memory, load, heat.

use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::error::NvmlError;

/// The GPUs' driver, where there is one.
pub struct Sensors(Option<Nvml>);

/// One GPU at one moment. What a GPU does not tell is absent: parts of a divided one have no load of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its number.
    pub index: u32,
    /// As the driver calls it.
    pub name: String,
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
    /// Whatever answers; nothing does on a machine without a GPU.
    pub fn open() -> Self {
        let nvml = Nvml::init();
        if let Err(reason) = &nvml {
            tracing::debug!(%reason, "no GPU is watched");
        }
        Self(nvml.ok())
    }

    /// Every GPU that this process sees.
    pub fn read(&self) -> Vec<Reading> {
        let Some(nvml) = &self.0 else { return Vec::new() };
        let count = nvml.device_count().unwrap_or(0);
        (0..count).filter_map(|index| reading(nvml, index).ok()).collect()
    }
}

fn reading(nvml: &Nvml, index: u32) -> Result<Reading, NvmlError> {
    let gpu = nvml.device_by_index(index)?;
    let memory = gpu.memory_info().ok();
    Ok(Reading {
        index,
        name: gpu.name()?,
        memory_used: memory.as_ref().map(|memory| memory.used),
        memory_total: memory.as_ref().map(|memory| memory.total),
        utilisation: gpu.utilization_rates().ok().map(|rates| rates.gpu.into()),
        temperature: gpu.temperature(TemperatureSensor::Gpu).ok().map(Into::into),
    })
}
