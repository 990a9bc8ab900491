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

/// The images of the bare class word that were made, by number.
pub(super) fn prior_images(run: &RunOutcome) -> impl Iterator<Item = (usize, &BlobRef)> {
    let made = run.sample.iter().map(|receipt| &receipt.outputs);
    made.flat_map(|outputs| {
        (0..).map_while(|number| Some((number, outputs.get(&output_names::prior_image(number))?)))
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

/// `metadata.jsonl` as Hugging Face's *imagefolder* reads it: one object a line, `file_name` names the image. Images of the
/// bare class word come last; they have no prompt of the set, and so no `prompt_index` and no `pattern`.
pub(super) fn metadata(
    rows: &[SampleRow],
    runs: &[RunOutcome],
    paths: &Paths,
) -> Result<String, serde_json::Error> {
    let of_class = runs.iter().flat_map(|run| prior_entries(run, paths));
    let mut text = String::new();
    for entry in rows.iter().map(metadata_entry).chain(of_class) {
        text.push_str(&serde_json::to_string(&entry)?);
        text.push('\n');
    }
    Ok(text)
}

fn prior_entries(run: &RunOutcome, paths: &Paths) -> impl Iterator<Item = Map<String, Value>> {
    prior_images(run).map(|(number, image)| {
        Map::from_iter([
            ("file_name".to_owned(), paths.prior_image(run, number).into()),
            ("prompt".to_owned(), run.prior_prompt.clone().into()),
            ("method".to_owned(), run.method.to_string().into()),
            ("point".to_owned(), run.point.clone().into()),
            ("concept".to_owned(), run.concept.to_string().into()),
            ("class".to_owned(), run.class.clone().into()),
            ("train_seed".to_owned(), run.train_seed.into()),
            ("sample".to_owned(), number.into()),
            ("blake3".to_owned(), image.digest.to_string().into()),
        ])
    })
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
