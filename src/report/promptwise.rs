//! One row per run and prompt: means over samples, the numbers that everything above them is a mean of.

use std::collections::BTreeMap;

use crate::report::RunOutcome;
use crate::report::samples::images;
use crate::statistics::mean;

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
    runs.iter().flat_map(cells_of_run).collect()
}

fn cells_of_run(run: &RunOutcome) -> impl Iterator<Item = PromptCell> {
    let mut means = means(run);
    (0..run.prompts.len()).map(move |prompt| {
        let rows = run.scores.iter().flat_map(|table| &table.rows);
        let scored = rows.filter(|row| row.prompt as usize == prompt && !row.values.is_empty());
        PromptCell {
            method: run.method.to_string(),
            point: run.point.clone(),
            concept: run.concept.to_string(),
            train_seed: run.train_seed,
            prompt_index: prompt as u32,
            pattern: run.patterns.get(prompt).cloned().unwrap_or_default(),
            images: images(run).filter(|(of, _, _)| *of == prompt).count() as u32,
            images_scored: scored.count() as u32,
            means: means.remove(&(prompt as u32)).unwrap_or_default(),
        }
    })
}

/// Means over samples, by prompt and `protocol/metric`.
fn means(run: &RunOutcome) -> BTreeMap<u32, BTreeMap<String, f64>> {
    let mut means: BTreeMap<u32, BTreeMap<String, f64>> = BTreeMap::new();
    let Some(table) = &run.scores else {
        return means;
    };
    for column in table.signatures.keys() {
        for (prompt, values) in table.by_prompt(column) {
            let mean = mean(&values).map(|mean| (column.clone(), mean));
            means.entry(prompt).or_default().extend(mean);
        }
    }
    means
}
