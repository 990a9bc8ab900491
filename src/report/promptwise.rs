//! One row per run and prompt: means over samples, the numbers that everything above them is a mean of.

use std::collections::BTreeMap;

use crate::report::RunOutcome;
use crate::report::samples::images;

/// The images of a run for one prompt, taken together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PromptCell {
    pub(super) method: String,
    pub(super) point: String,
    pub(super) concept: String,
    pub(super) train_seed: u64,
    pub(super) prompt_index: u32,
    /// The prompt with `{}` in the concept's place.
    pub(super) pattern: String,
    /// Images that were made, and how many of them were scored.
    pub(super) images: u32,
    pub(super) images_scored: u32,
    /// Means over the images scored, by `protocol/metric`; missing is absent, never zero.
    pub(super) means: BTreeMap<String, f64>,
}

/// The cells of all runs, ordered by run and prompt.
pub(super) fn cells(runs: &[RunOutcome]) -> Vec<PromptCell> {
    let of_run = |run: &RunOutcome| {
        (0..run.prompts.len())
            .map(|prompt| cell(run, prompt))
            .collect::<Vec<_>>()
    };
    runs.iter().flat_map(of_run).collect()
}

fn cell(run: &RunOutcome, prompt: usize) -> PromptCell {
    let rows = run.scores.iter().flat_map(|table| &table.rows);
    let of_prompt = rows.filter(|row| row.prompt as usize == prompt);
    let scored: Vec<_> = of_prompt.filter(|row| !row.values.is_empty()).collect();
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (metric, value) in scored.iter().flat_map(|row| &row.values) {
        values.entry(metric.clone()).or_default().push(*value);
    }
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    PromptCell {
        method: run.method.to_string(),
        point: run.point.clone(),
        concept: run.concept.to_string(),
        train_seed: run.train_seed,
        prompt_index: prompt as u32,
        pattern: run.patterns.get(prompt).cloned().unwrap_or_default(),
        images: images(run).filter(|(of, _, _)| *of == prompt).count() as u32,
        images_scored: scored.len() as u32,
        means: values
            .into_iter()
            .map(|(metric, values)| (metric, mean(values)))
            .collect(),
    }
}
