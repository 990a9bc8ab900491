//! Receipts and score tables to what people read: a leaderboard, one row per image, the `results/` tree.
//!
//! Pure: the caller fetches receipts and tables and puts the bytes where they belong. Nothing here averages over what is
//! missing: every mean says over how many of how many.

mod cell;
mod comparison;
mod csv;
mod latex;
mod leaderboard;
mod markdown;
mod page;
mod parquet;
mod paths;
mod promptwise;
mod samples;

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::ids::{ConceptId, MethodId, SweepId};
use crate::job::{BlobRef, Receipt, output_names};
use crate::score::ScoreTable;

pub use comparison::Comparison;
pub use leaderboard::{Cell, Column, Leaderboard, Row};
pub use parquet::Error as ParquetError;
pub use samples::{SampleRow, metric_names};

use paths::Paths;

/// One run (concept × method × matrix point × train seed) with what has been made of it so far.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// The method as the manifest calls it.
    pub method: MethodId,
    /// Label of the matrix point, without the train seed; empty without a matrix.
    pub point: String,
    /// The concept.
    pub concept: ConceptId,
    /// Seed of the training.
    pub train_seed: u64,
    /// The class word.
    pub class: String,
    /// Prompts with `{}` in the concept's place.
    pub patterns: Vec<String>,
    /// Prompts as sampled, with the subject filled in.
    pub prompts: Vec<String>,
    /// What images of the bare class word were drawn from.
    pub prior_prompt: String,
    /// Images asked for per prompt.
    pub images_per_prompt: u32,
    /// Base of every starting noise.
    pub sample_seed: u64,
    /// Identity of the base model; absent where the plan has no sample job.
    pub base: Option<Digest>,
    /// The concept's photos, in the order of their names.
    pub references: Vec<Photo>,
    /// Whether the method learns anything, and so has a train job.
    pub is_trained: bool,
    /// Whether a score job was asked for.
    pub is_measured: bool,
    /// Receipt of the job that drew the class images.
    pub class_images: Option<Receipt>,
    /// Receipt of the train job.
    pub train: Option<Receipt>,
    /// Receipt of the sample job.
    pub sample: Option<Receipt>,
    /// Receipt of the score job.
    pub score: Option<Receipt>,
    /// The table that the score job made.
    pub scores: Option<ScoreTable>,
}

impl RunOutcome {
    /// `method` or `method@point`: the name of this run's leaderboard row.
    pub fn method_at_point(&self) -> String {
        if self.point.is_empty() {
            self.method.to_string()
        } else {
            format!("{}@{}", self.method, self.point)
        }
    }

    /// The receipts there are, in the order of the stages.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        let all = [&self.class_images, &self.train, &self.sample, &self.score];
        all.into_iter().flatten()
    }

    /// How many images the run was asked for.
    pub fn images_wanted(&self) -> usize {
        self.prompts.len() * self.images_per_prompt as usize
    }
}

/// A reference image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// File name without folders.
    pub name: String,
    /// Its bytes in the bucket.
    pub blob: BlobRef,
}

/// What is known of a sweep besides its runs.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The manifest as it was submitted.
    pub manifest: String,
    /// The same with every default filled in.
    pub lock: String,
    /// Jobs that failed, in the order of their labels.
    pub failures: Vec<FailedJob>,
}

/// A job that is beyond help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedJob {
    /// For people: method, concept and stage.
    pub label: String,
    /// Why, in one line.
    pub reason: String,
}

/// Everything below `results/<sweep>/`, by path.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// Files to write.
    pub documents: BTreeMap<String, Vec<u8>>,
    /// Blobs to copy: images and adapters.
    pub copies: BTreeMap<String, BlobRef>,
}

/// The tree of a sweep's results.
pub fn results(sweep: &SweepId, runs: &[RunOutcome], record: &Record) -> Result<Results, Error> {
    let paths = Paths::of(runs);
    let rows = samples::rows(runs, &paths);
    let metrics = metric_names(runs);
    let leaderboard = Leaderboard::new(sweep, runs);
    let documents = BTreeMap::from([
        (
            "leaderboard.csv".to_owned(),
            csv::leaderboard(&leaderboard).into_bytes(),
        ),
        ("leaderboard.tex".to_owned(), leaderboard.to_latex().into_bytes()),
        ("leaderboard.json".to_owned(), leaderboard.to_json()?.into_bytes()),
        (
            "leaderboard.md".to_owned(),
            leaderboard.to_markdown().into_bytes(),
        ),
        (
            "samples.csv".to_owned(),
            csv::samples(&rows, &metrics).into_bytes(),
        ),
        ("samples.parquet".to_owned(), parquet::samples(&rows, &metrics)?),
        (
            "cells.parquet".to_owned(),
            parquet::cells(&promptwise::cells(runs), &metrics)?,
        ),
        (
            "metadata.jsonl".to_owned(),
            samples::metadata(&rows, runs, &paths)?.into_bytes(),
        ),
        (
            page::PATH.to_owned(),
            page::page(&leaderboard, runs, &rows, record, &paths).into_bytes(),
        ),
    ]);
    Ok(Results {
        documents,
        copies: copies(runs, &paths),
    })
}

fn copies(runs: &[RunOutcome], paths: &Paths) -> BTreeMap<String, BlobRef> {
    let mut copies = BTreeMap::new();
    for run in runs {
        if let Some(adapter) = run
            .train
            .as_ref()
            .and_then(|receipt| receipt.outputs.get(output_names::ADAPTER))
        {
            copies.insert(paths.adapter(run), adapter.clone());
        }
        for (number, photo) in run.references.iter().enumerate() {
            copies.insert(Paths::reference(run, number), photo.blob.clone());
        }
        for (number, image) in samples::prior_images(run) {
            copies.insert(paths.prior_image(run, number), image.clone());
        }
        for (prompt, sample, image) in samples::images(run) {
            copies.insert(paths.image(run, prompt, sample), image.clone());
        }
    }
    copies
}

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A document has no JSON form.
    #[error("a report could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// See [`ParquetError`].
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod fixture;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
