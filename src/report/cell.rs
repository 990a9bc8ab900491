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

/// The run's total if there is one, else the mean over prompts of the mean over samples.
fn run_mean(metric: &str, run: &RunOutcome) -> Option<f64> {
    if let Some(total) = run.scores.as_ref().and_then(|table| table.totals.get(metric)) {
        return Some(*total);
    }
    let prompts = by_prompt(metric, run);
    let means: Vec<f64> = prompts.values().filter_map(|samples| mean(samples)).collect();
    mean(&means)
}

/// A total speaks for all images of its run.
fn images_measured(metric: &str, run: &RunOutcome) -> usize {
    let table = run.scores.as_ref();
    if table.is_some_and(|table| table.totals.contains_key(metric)) {
        return run.images_wanted();
    }
    by_prompt(metric, run).values().map(Vec::len).sum()
}

fn by_prompt(metric: &str, run: &RunOutcome) -> BTreeMap<u32, Vec<f64>> {
    let mut prompts: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for row in run.scores.iter().flat_map(|table| &table.rows) {
        if let Some(value) = row.values.get(metric) {
            prompts.entry(row.prompt).or_default().push(*value);
        }
    }
    prompts
}
