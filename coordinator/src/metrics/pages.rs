//! The pages of a coordinator's plain port.

use std::collections::BTreeMap;
use std::fmt::Error as Unwritable;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tonic::async_trait;
use vico::job::{FailureClass, JobState, Stage};
use vico::probes::{Probed, Readiness};
use vico::status::SweepState;

use super::census::{CONDITIONS, Census};
use super::meters::Meters;
use crate::handle::Handle;

/// A bucket in trouble holds answers back; scrapers and probes do not wait for long.
const PATIENCE: Duration = Duration::from_secs(4);

/// Label names and values.
type Labels = Vec<(&'static str, &'static str)>;
type Gauges = Family<Labels, Gauge>;

/// See the module.
pub(crate) struct Pages {
    handle: Handle,
    meters: Meters,
}

impl Pages {
    pub(crate) fn new(handle: Handle, meters: Meters) -> Self {
        Self { handle, meters }
    }

    /// Counted from durable state; `None` where the bucket keeps even that from being told.
    async fn census(&self) -> Option<Census> {
        let look = self.handle.look(Census::of);
        tokio::time::timeout(PATIENCE, look).await.ok()?.ok()
    }
}

#[async_trait]
impl Probed for Pages {
    async fn ready(&self) -> Readiness {
        match tokio::time::timeout(PATIENCE, self.handle.look(|_, _| ())).await {
            Ok(Ok(())) => Readiness::Ready,
            Ok(Err(refusal)) => Readiness::Unready(refusal.message),
            Err(_) => {
                let reason = "the journal is not written: the bucket does not answer";
                Readiness::Unready(reason.to_owned())
            }
        }
    }

    async fn metrics(&self) -> Result<String, String> {
        let census = self.census().await;
        let sight = census.as_ref().map_or(Sight::Hidden, Sight::Counted);
        text_of(sight, &self.meters).map_err(|error| error.to_string())
    }
}

/// In OpenMetrics text: of a coordinator that does not serve.
pub(crate) fn text_of_a_standby(meters: &Meters) -> Result<String, Unwritable> {
    text_of(Sight::StandsBy, meters)
}

/// What can be told of the state.
#[derive(Clone, Copy)]
pub(super) enum Sight<'a> {
    Counted(&'a Census),
    /// The bucket keeps it from being told.
    Hidden,
    /// It is another coordinator's.
    StandsBy,
}

/// In OpenMetrics text.
pub(super) fn text_of(sight: Sight<'_>, meters: &Meters) -> Result<String, Unwritable> {
    let mut registry = Registry::with_prefix("vico");
    meters.register(&mut registry);
    gauge(
        &mut registry,
        ("serving", "1 if this coordinator serves; 0 while it stands by"),
        u64::from(!matches!(sight, Sight::StandsBy)),
    );
    let census = match sight {
        Sight::Counted(census) => Some(census),
        Sight::Hidden | Sight::StandsBy => None,
    };
    gauge(
        &mut registry,
        (
            "state_observed",
            "1 if the state could be counted; 0 while the bucket does not answer",
        ),
        u64::from(census.is_some()),
    );
    if let Some(census) = census {
        register_jobs(&mut registry, census);
        register_attempts(&mut registry, census);
        register_workers(&mut registry, census);
    }
    let mut out = String::new();
    text::encode(&mut out, &registry)?;
    Ok(out)
}

fn register_jobs(registry: &mut Registry, census: &Census) {
    let sweeps = family(SweepState::ALL, &census.sweeps, |state| {
        vec![("state", state.as_str())]
    });
    registry.register("sweeps", "Sweeps by state", sweeps);
    let all = Stage::ALL
        .into_iter()
        .flat_map(|stage| JobState::ALL.map(|state| (stage, state)));
    let labels =
        |(stage, state): (Stage, JobState)| vec![("stage", stage.as_str()), ("state", state.as_str())];
    registry.register(
        "jobs",
        "Jobs by stage and state; a job that several sweeps want counts once",
        family(all, &census.jobs, labels),
    );
    let ages = Family::<Labels, Gauge<f64, AtomicU64>>::default();
    for stage in Stage::ALL {
        let age = census.queue_age.get(&stage).copied().unwrap_or_default();
        ages.get_or_create(&vec![("stage", stage.as_str())])
            .set(age.as_secs_f64());
    }
    registry.register(
        "queue_age_seconds",
        "How long the job that has waited longest for a worker has done so",
        ages,
    );
    counter(
        registry,
        ("journal_events", "Events in the journal, over all coordinators"),
        census.events,
    );
}

fn register_attempts(registry: &mut Registry, census: &Census) {
    counter(
        registry,
        ("leases_granted", "Attempts begun, over all coordinators"),
        census.leases_granted,
    );
    gauge(
        registry,
        ("leases", "Leases that workers hold"),
        census.leases_live,
    );
    let lost = census.failed_attempts.get(&FailureClass::WorkerLost);
    counter(
        registry,
        (
            "leases_expired",
            "Attempts that ended because their worker fell silent or began anew",
        ),
        lost.copied().unwrap_or(0),
    );
    let failed = Family::<Labels, Counter>::default();
    for class in FailureClass::ALL {
        let count = census.failed_attempts.get(&class).copied().unwrap_or(0);
        failed
            .get_or_create(&vec![("class", class.as_str())])
            .inc_by(count);
    }
    registry.register("attempts_failed", "Failed attempts by class of failure", failed);
}

fn register_workers(registry: &mut Registry, census: &Census) {
    let workers = family(CONDITIONS, &census.workers, |condition| {
        vec![("condition", condition)]
    });
    registry.register("workers", "Workers by condition", workers);
    gauge(
        registry,
        (
            "worker_slots",
            "Jobs that workers in condition `ready` do at a time",
        ),
        census.slots,
    );
}

/// A gauge for every value there may be, so that no series comes and goes.
fn family<K: Ord + Copy>(
    all: impl IntoIterator<Item = K>,
    counts: &BTreeMap<K, u64>,
    labels: impl Fn(K) -> Labels,
) -> Gauges {
    let family = Gauges::default();
    for key in all {
        let count = counts.get(&key).copied().unwrap_or(0);
        family.get_or_create(&labels(key)).set(count as i64);
    }
    family
}

fn gauge(registry: &mut Registry, (name, help): (&str, &str), value: u64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(value as i64);
    registry.register(name, help, gauge);
}

fn counter(registry: &mut Registry, (name, help): (&str, &str), value: u64) {
    let counter: Counter = Counter::default();
    counter.inc_by(value);
    registry.register(name, help, counter);
}
