//! What only this process knows, counted as it happens.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use vico::traffic::Traffic;

/// From a local disk to a bucket in trouble, in seconds.
const COMMIT_SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Meters {
    commits: Histogram,
    failed_commits: Counter,
    refused: Family<[(&'static str, &'static str); 1], Counter>,
    /// What is asked of the bucket.
    pub(crate) traffic: Traffic,
}

/// Why somebody may not be let in.
const REFUSALS: [&str; 2] = ["token", "role"];

impl Default for Meters {
    fn default() -> Self {
        let refused = Family::default();
        for reason in REFUSALS {
            let _: &Counter = &refused.get_or_create(&[("reason", reason)]);
        }
        Self {
            commits: Histogram::new(COMMIT_SECONDS),
            failed_commits: Counter::default(),
            refused,
            traffic: Traffic::default(),
        }
    }
}

impl Meters {
    /// Events became durable.
    pub(crate) fn committed(&self, took: Duration) {
        self.commits.observe(took.as_secs_f64());
    }

    /// The bucket did not take events; they are tried again.
    pub(crate) fn not_committed(&self) {
        self.failed_commits.inc();
    }

    /// Somebody was not let in.
    pub(crate) fn refused(&self, why: &'static str) {
        self.refused.get_or_create(&[("reason", why)]).inc();
    }

    /// Shows the counts under their names.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "journal_commit_seconds",
            "How long it took until a group of events was durable, trying again included",
            self.commits.clone(),
        );
        registry.register(
            "journal_commit_failures",
            "Writes of events that the bucket did not take and that are tried again",
            self.failed_commits.clone(),
        );
        registry.register(
            "requests_refused",
            "Requests without a token, with an unknown one, or with one whose role does not suffice",
            self.refused.clone(),
        );
        self.traffic.register(registry);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);
    }
}
