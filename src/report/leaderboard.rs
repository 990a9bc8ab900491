//! The leaderboard: mean over concepts of the mean over prompts of the mean over samples.
//!
//! The unit of inference is the concept, because images of one concept are not independent. What is missing is left out
//! of the mean and counted, so that 3,960 of 3,968 images never look like all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::SweepId;
use crate::report::comparison::{Comparison, comparisons};
use crate::report::{RunOutcome, metric_names};
use crate::statistics::{Interval, MOST_ENUMERATED, RESAMPLES, SEED};

/// A sweep's scores, one row per method and matrix point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leaderboard {
    /// Version of this document's form; grows when a field changes its meaning.
    pub schema_version: u32,
    /// The sweep.
    pub sweep: SweepId,
    /// What was measured, in the order of the cells.
    pub columns: Vec<Column>,
    /// Rows, in the order of method and point.
    pub rows: Vec<Row>,
    /// Every two rows on the concepts that both have, by column.
    pub comparisons: Vec<Comparison>,
    /// How intervals and p values were computed, to be printed beside them.
    pub statistics: String,
    /// What a reader must know before comparing rows.
    pub notes: Vec<String>,
}

/// One metric of one protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// `protocol/metric`.
    pub name: String,
    /// How it was computed. More than one means that the rows cannot be compared.
    pub signatures: Vec<String>,
}

impl Column {
    /// Whether it says how good a method is.
    pub fn is_score(&self) -> bool {
        !self.is_oracle() && !self.is_health()
    }

    /// Whether it is about the reference images alone: what a perfect method could reach.
    pub fn is_oracle(&self) -> bool {
        self.name.contains("/oracle_")
    }

    /// Whether it tells how sound a run is rather than how good.
    pub fn is_health(&self) -> bool {
        self.name.starts_with("health/")
    }
}

/// A method at a matrix point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// `method` or `method@point`.
    pub method: String,
    /// Runs of which nothing is missing.
    pub runs_scored: u32,
    /// Runs that were asked for.
    pub runs: u32,
    /// One cell per column.
    pub cells: Vec<Cell>,
}

/// A mean and what it stands on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The mean over concepts; absent where nothing was measured.
    pub mean: Option<f64>,
    /// Standard deviation over concepts (n − 1); absent below two concepts.
    pub sd: Option<f64>,
    /// 95 % bootstrap interval of the mean over concepts; absent below two concepts.
    pub interval: Option<Interval>,
    /// Standard deviation over train seeds within concepts; absent where no concept was trained twice.
    pub seed_sd: Option<f64>,
    /// Concepts that the mean is over.
    pub concepts: u32,
    /// Images that the mean is over.
    pub images: u32,
    /// Images that were asked for.
    pub images_wanted: u32,
}

impl Leaderboard {
    /// The present [`Leaderboard::schema_version`].
    pub const SCHEMA_VERSION: u32 = 2;

    /// The leaderboard of some runs of one sweep.
    pub fn new(sweep: &SweepId, runs: &[RunOutcome]) -> Self {
        let columns = columns(runs);
        let by_row = by_row(runs);
        let rows = by_row
            .iter()
            .map(|(method, runs)| row(method, runs, &columns))
            .collect();
        let comparisons = comparisons(&by_row, &columns);
        let notes = notes(runs, &columns);
        Self {
            schema_version: Self::SCHEMA_VERSION,
            sweep: sweep.clone(),
            columns,
            rows,
            comparisons,
            statistics: statistics(),
            notes,
        }
    }

    /// The document `leaderboard.json`.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// The runs of each row, in the order of the rows.
pub(super) fn by_row(runs: &[RunOutcome]) -> BTreeMap<String, Vec<&RunOutcome>> {
    let mut rows: BTreeMap<String, Vec<&RunOutcome>> = BTreeMap::new();
    for run in runs {
        rows.entry(run.method_at_point()).or_default().push(run);
    }
    rows
}

fn columns(runs: &[RunOutcome]) -> Vec<Column> {
    let signatures = |name: &String| {
        let tables = runs.iter().filter_map(|run| run.scores.as_ref());
        let found: BTreeSet<&String> = tables.filter_map(|table| table.signatures.get(name)).collect();
        found.into_iter().cloned().collect()
    };
    let totals = runs.iter().filter_map(|run| run.scores.as_ref());
    let totals = totals.flat_map(|table| table.totals.keys().cloned());
    let names: BTreeSet<String> = metric_names(runs).into_iter().chain(totals).collect();
    names
        .into_iter()
        .map(|name| Column {
            signatures: signatures(&name),
            name,
        })
        .collect()
}

fn row(method: &str, runs: &[&RunOutcome], columns: &[Column]) -> Row {
    Row {
        method: method.to_owned(),
        runs_scored: runs.iter().filter(|run| is_complete(run)).count() as u32,
        runs: runs.len() as u32,
        cells: columns
            .iter()
            .map(|column| Cell::of(&column.name, runs))
            .collect(),
    }
}

fn statistics() -> String {
    format!(
        "agg:sample>prompt>seed>concept|boot:{RESAMPLES}.s{SEED}.percentile95|test:signflip.exact{MOST_ENUMERATED}|correction:holm"
    )
}

fn is_complete(run: &RunOutcome) -> bool {
    run.scores.as_ref().is_some_and(|table| {
        // Totals belong to the run and stand in no row.
        let of_images = table
            .signatures
            .keys()
            .filter(|name| !table.totals.contains_key(*name));
        let of_images = of_images.count();
        let measured = table.rows.iter().filter(|row| row.values.len() == of_images);
        measured.count() == run.images_wanted()
    })
}

fn notes(runs: &[RunOutcome], columns: &[Column]) -> Vec<String> {
    let mut notes = Vec::new();
    for column in columns.iter().filter(|column| column.signatures.len() > 1) {
        notes.push(format!(
            "{} was computed in {} ways: its rows cannot be compared",
            column.name,
            column.signatures.len()
        ));
    }
    let receipts = runs.iter().filter_map(|run| run.sample.as_ref());
    let devices: BTreeSet<&str> = receipts.map(|receipt| receipt.device.name.as_str()).collect();
    if devices.len() > 1 {
        let names: Vec<&str> = devices.into_iter().collect();
        notes.push(format!(
            "images were drawn on different devices: {}",
            names.join(", ")
        ));
    }
    let unscored = runs.iter().filter(|run| run.scores.is_none()).count();
    if unscored > 0 {
        notes.push(format!("{unscored} of {} runs have no scores", runs.len()));
    }
    notes
}
