//! What a worker counts as it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use vico::job::Stage;
use vico::traffic::Traffic;

/// From a toy model on a GPU to a large one on a CPU.
const STEP_SECONDS: [f64; 12] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0,
];

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its outputs were committed.
    Done,
    /// It failed.
    Failed,
    /// It was given back because the worker leaves.
    Left,
    /// Its lease was lost.
    Lost,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Done, Self::Failed, Self::Left, Self::Lost];

    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Left => "left",
            Self::Lost => "lost",
        }
    }
}

type Labels = [(&'static str, &'static str); 1];

/// Clones count together.
#[derive(Clone, Debug)]
pub struct Meters {
    at_work: Arc<AtomicBool>,
    running: Gauge,
    attempts: Family<Labels, Counter>,
    images: Family<Labels, Counter>,
    steps: Histogram,
    /// What is asked of the bucket.
    pub traffic: Traffic,
}

impl Default for Meters {
    fn default() -> Self {
        let attempts = Family::default();
        for outcome in Outcome::ALL {
            let _: &Counter = &attempts.get_or_create(&[("outcome", outcome.word())]);
        }
        let images = Family::default();
        for stage in [Stage::ClassImages, Stage::Sample] {
            let _: &Counter = &images.get_or_create(&[("stage", stage.as_str())]);
        }
        Self {
            at_work: Arc::default(),
            running: Gauge::default(),
            attempts,
            images,
            steps: Histogram::new(STEP_SECONDS),
            traffic: Traffic::default(),
        }
    }
}

impl Meters {
    /// The worker takes work from now on, or no more.
    pub fn set_at_work(&self, at_work: bool) {
        self.at_work.store(at_work, Ordering::Relaxed);
    }

    /// Whether the worker takes work.
    pub fn is_at_work(&self) -> bool {
        self.at_work.load(Ordering::Relaxed)
    }

    /// An attempt begins.
    pub fn attempt_begins(&self) {
        self.running.inc();
    }

    /// An attempt that began has ended.
    pub fn attempt_ended(&self, outcome: Outcome) {
        self.running.dec();
        self.attempts.get_or_create(&[("outcome", outcome.word())]).inc();
    }

    /// A job of this stage made an output.
    pub fn made(&self, stage: Stage) {
        match stage {
            Stage::ClassImages | Stage::Sample => {
                self.images.get_or_create(&[("stage", stage.as_str())]).inc();
            }
            Stage::Train | Stage::Score => {}
        }
    }

    /// A train step was taken.
    pub fn step(&self, took: Duration) {
        self.steps.observe(took.as_secs_f64());
    }

    /// Shows the counts under their names.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("attempts_running", "Attempts under way", self.running.clone());
        registry.register(
            "attempts",
            "Attempts that ended, by outcome",
            self.attempts.clone(),
        );
        registry.register(
            "images",
            "Images drawn and handed over for upload, by stage",
            self.images.clone(),
        );
        registry.register(
            "train_step_seconds",
            "How long train steps took; their count is that of all train steps",
            self.steps.clone(),
        );
        self.traffic.register(registry);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);
    }
}
