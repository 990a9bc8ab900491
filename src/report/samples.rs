//! One row per image: the table that every other number can be recomputed from.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::job::{BlobRef, output_names};
use crate::report::RunOutcome;
use crate::report::paths::Paths;
use crate::score::ScoreTable;

/// One image with everything that was measured on it.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleRow {
    /// The method as the manifest calls it.
    pub method: String,
    /// Label of the matrix point; empty without a matrix.
    pub point: String,
    /// The concept.
    pub concept: String,
    /// Seed of the training.
    pub train_seed: u64,
    /// Position of the prompt, from 0.
    pub prompt_index: u32,
    /// Position of the sample, from 0.
    pub sample: u32,
    /// The concept's class word.
    pub class: String,
    /// The prompt with `{}` in the concept's place.
    pub pattern: String,
    /// The prompt as sampled.
    pub prompt: String,
    /// The image's path below `results/<sweep>/`.
    pub file_name: String,
    /// BLAKE3 of the PNG.
    pub digest: Digest,
    /// Values by `protocol/metric`; missing is absent, never zero.
    pub values: BTreeMap<String, f64>,
}

/// Names of all metrics that images of any run were scored with, sorted: the same columns for every row. Values of whole
/// runs are not among them.
pub fn metric_names(runs: &[RunOutcome]) -> Vec<String> {
    let tables = runs.iter().filter_map(|run| run.scores.as_ref());
    let of_images = tables.flat_map(|table| {
        let names = table.signatures.keys();
        names.filter(|name| !table.totals.contains_key(*name))
    });
    of_images.collect::<BTreeSet<_>>().into_iter().cloned().collect()
}

/// The images of a run that were made, by prompt and sample.
pub(super) fn images(run: &RunOutcome) -> impl Iterator<Item = (usize, usize, &BlobRef)> {
    let positions = (0..run.prompts.len())
        .flat_map(move |prompt| (0..run.images_per_prompt as usize).map(move |sample| (prompt, sample)));
    positions.filter_map(|(prompt, sample)| {
        let receipt = run.sample.as_ref()?;
        let image = receipt.outputs.get(&output_names::image(prompt, sample))?;
        Some((prompt, sample, image))
    })
}

/// All images that were made, ordered by run, prompt and sample.
pub(super) fn rows(runs: &[RunOutcome], paths: &Paths) -> Vec<SampleRow> {
    runs.iter().flat_map(|run| rows_of_run(run, paths)).collect()
}

fn rows_of_run(run: &RunOutcome, paths: &Paths) -> impl Iterator<Item = SampleRow> {
    let values = values_by_position(run.scores.as_ref());
    images(run).map(move |(prompt, sample, image)| {
        let position = (prompt as u32, sample as u32);
        SampleRow {
            method: run.method.to_string(),
            point: run.point.clone(),
            concept: run.concept.to_string(),
            train_seed: run.train_seed,
            prompt_index: position.0,
            sample: position.1,
            class: run.class.clone(),
            pattern: run.patterns.get(prompt).cloned().unwrap_or_default(),
            prompt: run.prompts[prompt].clone(),
            file_name: paths.image(run, prompt, sample),
            digest: image.digest,
            values: values
                .get(&position)
                .map_or_else(BTreeMap::new, |found| (*found).clone()),
        }
    })
}

fn values_by_position(table: Option<&ScoreTable>) -> BTreeMap<(u32, u32), &BTreeMap<String, f64>> {
    let rows = table.map_or(&[][..], |table| &table.rows);
    rows.iter()
        .map(|row| ((row.prompt, row.sample), &row.values))
        .collect()
}

/// `metadata.jsonl` as Hugging Face's *imagefolder* reads it: one object a line, `file_name` names the image.
pub(super) fn metadata(rows: &[SampleRow]) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&serde_json::to_string(&metadata_entry(row))?);
        text.push('\n');
    }
    Ok(text)
}

fn metadata_entry(row: &SampleRow) -> Map<String, Value> {
    let mut entry = Map::new();
    let mut put = |key: &str, value: Value| entry.insert(key.to_owned(), value);
    put("file_name", row.file_name.clone().into());
    put("prompt", row.prompt.clone().into());
    put("method", row.method.clone().into());
    put("point", row.point.clone().into());
    put("concept", row.concept.clone().into());
    put("class", row.class.clone().into());
    put("pattern", row.pattern.clone().into());
    put("train_seed", row.train_seed.into());
    put("prompt_index", row.prompt_index.into());
    put("sample", row.sample.into());
    put("blake3", row.digest.to_string().into());
    for (metric, value) in &row.values {
        put(metric, (*value).into());
    }
    entry
}
