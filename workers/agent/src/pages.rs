//! The plain port of a worker: is it alive, does it take work, what has it done, how are its GPUs.

use std::fmt::Error as Unwritable;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use prometheus_client::encoding::text;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use vico::probes::{self, Probed, Readiness};

use crate::device::Gpu;
use crate::device::sensors::{Reading, Sensors};
use crate::meters::Meters;

/// The pages, served as long as this lives.
#[derive(Debug)]
pub struct Pages {
    address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

struct Behind {
    meters: Meters,
    sensors: Arc<Sensors>,
}

impl Pages {
    /// Serves them; `gpu` is the one that jobs are computed on.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn open(address: SocketAddr, meters: Meters, gpu: Option<Gpu>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("cannot listen on {address} (--http)"))?;
        let address = listener.local_addr()?;
        let sensors = Arc::new(Sensors::open(gpu.and_then(|gpu| gpu.uuid)));
        let pages = probes::router(Arc::new(Behind { meters, sensors }));
        tracing::info!(%address, "probes and metrics are served");
        let serving = async move {
            if let Err(error) = probes::serve(listener, pages, CancellationToken::new()).await {
                tracing::error!(%error, "probes and metrics are served no more");
            }
        };
        Ok(Self {
            address,
            _serving: AbortOnDropHandle::new(tokio::spawn(serving)),
        })
    }

    /// Where they are.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[async_trait]
impl Probed for Behind {
    async fn ready(&self) -> Readiness {
        if self.meters.is_at_work() {
            return Readiness::Ready;
        }
        let reason = "the worker takes no work: it has not registered, or is leaving";
        Readiness::Unready(reason.to_owned())
    }

    async fn metrics(&self) -> Result<String, String> {
        let sensors = Arc::clone(&self.sensors);
        // The driver may take its time.
        let readings = tokio::task::spawn_blocking(move || sensors.read()).await;
        let readings = readings.map_err(|error| error.to_string())?;
        text_of(&self.meters, &readings).map_err(|error| error.to_string())
    }
}

/// In OpenMetrics text.
fn text_of(meters: &Meters, readings: &[Reading]) -> Result<String, Unwritable> {
    let mut registry = Registry::with_prefix("vico_worker");
    meters.register(&mut registry);
    registry.register(
        "gpu_in_use",
        "1 for the GPU that jobs are computed on",
        of_gpus(readings, |gpu| Some(gpu.in_use.into())),
    );
    show(&mut registry, readings, ("gpu_memory_used", Unit::Bytes), |gpu| {
        gpu.memory_used
    });
    show(
        &mut registry,
        readings,
        ("gpu_memory_total", Unit::Bytes),
        |gpu| gpu.memory_total,
    );
    show(
        &mut registry,
        readings,
        ("gpu_utilisation", Unit::Other("percent".to_owned())),
        |gpu| gpu.utilisation,
    );
    show(
        &mut registry,
        readings,
        ("gpu_temperature", Unit::Celsius),
        |gpu| gpu.temperature,
    );
    let mut out = String::new();
    text::encode(&mut out, &registry)?;
    Ok(out)
}

type OfGpus = Family<[(&'static str, String); 2], Gauge>;

/// One value of every GPU that tells it.
fn of_gpus(readings: &[Reading], value: impl Fn(&Reading) -> Option<u64>) -> OfGpus {
    let family = OfGpus::default();
    for gpu in readings {
        if let Some(value) = value(gpu) {
            let labels = [("gpu", gpu.index.to_string()), ("name", gpu.name.clone())];
            family.get_or_create(&labels).set(value as i64);
        }
    }
    family
}

fn show(
    registry: &mut Registry,
    readings: &[Reading],
    (name, unit): (&str, Unit),
    value: impl Fn(&Reading) -> Option<u64>,
) {
    let family = of_gpus(readings, value);
    registry.register_with_unit(name, "As the GPU's driver has it", unit, family);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vico::job::Stage;

    use super::*;
    use crate::meters::Outcome;

    #[test]
    fn what_was_counted_is_shown() {
        let meters = Meters::default();
        meters.attempt_begins();
        meters.attempt_begins();
        meters.attempt_ended(Outcome::Done);
        meters.step(Duration::from_millis(200));
        meters.step(Duration::from_secs(2));
        meters.made(Stage::Sample);
        meters.made(Stage::Train);
        let gpu = Reading {
            index: 0,
            name: "NVIDIA H100".to_owned(),
            in_use: true,
            memory_used: Some(1 << 30),
            memory_total: Some(80 << 30),
            utilisation: Some(97),
            temperature: None,
        };
        let text = text_of(&meters, &[gpu]).expect("text takes everything");
        for line in [
            "vico_worker_attempts_running 1",
            "vico_worker_attempts_total{outcome=\"done\"} 1",
            "vico_worker_attempts_total{outcome=\"lost\"} 0",
            "vico_worker_images_total{stage=\"sample\"} 1",
            "vico_worker_train_step_seconds_count 2",
            "vico_worker_train_step_seconds_bucket{le=\"0.25\"} 1",
            "vico_worker_gpu_in_use{gpu=\"0\",name=\"NVIDIA H100\"} 1",
            "vico_worker_gpu_memory_used_bytes{gpu=\"0\",name=\"NVIDIA H100\"} 1073741824",
            "vico_worker_gpu_utilisation_percent{gpu=\"0\",name=\"NVIDIA H100\"} 97",
        ] {
            assert!(text.lines().any(|shown| shown == line), "no `{line}` in\n{text}");
        }
        assert!(!text.contains("gpu_temperature_celsius{"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
