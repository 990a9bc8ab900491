//! One number of the leaderboard: a metric of a row, over samples, prompts, train seeds and concepts.

use std::collections::BTreeMap;

use crate::report::{Cell, RunOutcome};
use crate::statistics::{interval, mean, standard_deviation, within_groups};

/// Mean values by concept, one per run that has any: several train seeds of a concept stay apart.
pub(super) fn run_means(metric: &str, runs: &[&RunOutcome]) -> BTreeMap<String, Vec<f64>> {
    let mut concepts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for run in runs {
        if let Some(value) = run_mean(metric, run) {
            concepts.entry(run.concept.to_string()).or_default().push(value);
        }
    }
    concepts
}

/// One mean per concept: several train seeds weigh as one concept.
pub(super) fn concept_means(metric: &str, runs: &[&RunOutcome]) -> BTreeMap<String, f64> {
    let means = run_means(metric, runs).into_iter();
    means
        .filter_map(|(concept, seeds)| Some((concept, mean(&seeds)?)))
        .collect()
}

impl Cell {
    /// `metric` over the runs of one row.
    pub(super) fn of(metric: &str, runs: &[&RunOutcome]) -> Self {
        let seeds: Vec<Vec<f64>> = run_means(metric, runs).into_values().collect();
        let concepts: Vec<f64> = seeds.iter().filter_map(|seeds| mean(seeds)).collect();
        let images = runs.iter().map(|run| images_measured(metric, run)).sum::<usize>();
        Self {
            mean: mean(&concepts),
            sd: standard_deviation(&concepts),
            interval: interval(&concepts),
            seed_sd: within_groups(&seeds),
            concepts: concepts.len() as u32,
            images: images as u32,
            images_wanted: runs.iter().map(|run| run.images_wanted()).sum::<usize>() as u32,
        }
    }
}

/// The run's value under a metric.
fn run_mean(metric: &str, run: &RunOutcome) -> Option<f64> {
    run.scores.as_ref()?.mean(metric).0
}

/// A total speaks for all images of its run.
fn images_measured(metric: &str, run: &RunOutcome) -> usize {
    run.scores.as_ref().map_or(0, |table| table.mean(metric).1)
}
