//! `results`: the leaderboard of a sweep, straight from the bucket, with or without a coordinator.

use anyhow::Context as _;
use clap::Args;
use vico::ids::SweepId;
use vico::report::{Cell, Leaderboard, Row};
use vico::store::Store;

use crate::cli::bucket::Bucket;
use crate::cli::exit::{Error, Result};
use crate::cli::output::{self, Output};

/// Shows the leaderboard of a sweep that has ended, and where its images, adapters and tables are.
#[derive(Debug, Args)]
pub(super) struct Results {
    /// The sweep
    sweep: SweepId,
    #[command(flatten)]
    bucket: Bucket,
}

impl Results {
    pub(super) async fn execute(self, out: Output) -> Result {
        let store = self.bucket.open().await?;
        let board = published(&store, &self.sweep).await?.ok_or_else(|| {
            let what = format!("{} holds no results of {}", store.url(), self.sweep);
            Error::usage(
                what,
                format!(
                    "they are written when the sweep ends: `vico-coord watch {}`",
                    self.sweep
                ),
            )
        })?;
        show(out, &store, &board)
    }
}

/// The leaderboard of a sweep, once it is there.
pub(super) async fn published(store: &Store, sweep: &SweepId) -> Result<Option<Leaderboard>> {
    let document = store.result(sweep, "leaderboard.json").await?;
    let board = document.map(|bytes| serde_json::from_slice(&bytes)).transpose();
    Ok(board.with_context(|| format!("the leaderboard of {sweep} is none of this version"))?)
}

/// A leaderboard, and where the rest is.
pub(super) fn show(out: Output, store: &Store, board: &Leaderboard) -> Result {
    if out.is_json() {
        return output::json(board);
    }
    let mut header = vec!["METHOD", "RUNS", "CONCEPTS", "IMAGES"];
    let scores: Vec<usize> = shown(board);
    header.extend(scores.iter().map(|at| board.columns[*at].name.as_str()));
    output::table(&header, board.rows.iter().map(|of| row(of, &scores)))?;
    show_comparisons(board)?;
    for note in &board.notes {
        output::line(format_args!("! {note}"))?;
    }
    output::line(format_args!(
        "\nimages, adapters, tables and report/index.html: {}",
        store.results_url(&board.sweep)
    ))
}

/// The columns that fit a terminal: scores. Oracles and health are in the files.
fn shown(board: &Leaderboard) -> Vec<usize> {
    let scores = board.columns.iter().enumerate();
    scores
        .filter(|(_, column)| !column.is_oracle() && !column.is_health())
        .map(|(at, _)| at)
        .collect()
}

fn row(row: &Row, scores: &[usize]) -> Vec<String> {
    let concepts = row
        .cells
        .iter()
        .map(|cell| cell.concepts)
        .min()
        .unwrap_or_default();
    // The metric that covers the least speaks for all, so that a gap cannot hide.
    let images = row.cells.iter().min_by_key(|cell| cell.images);
    let images = images.map(|cell| format!("{}/{}", cell.images, cell.images_wanted));
    let mut texts = vec![
        row.method.clone(),
        row.runs_text(),
        concepts.to_string(),
        images.unwrap_or_default(),
    ];
    texts.extend(scores.iter().map(|at| cell(&row.cells[*at])));
    texts
}

/// Who is better than whom, where there is more than one row.
fn show_comparisons(board: &Leaderboard) -> Result {
    if board.comparisons.is_empty() {
        return Ok(());
    }
    output::line("")?;
    let header = [
        "METRIC",
        "FIRST",
        "SECOND",
        "DIFFERENCE",
        "P",
        "P HOLM",
        "WIN/TIE/LOSS",
    ];
    output::table(
        &header,
        board
            .comparisons
            .iter()
            .map(|comparison| comparison.texts().to_vec()),
    )
}

/// `0.6431 [0.6280, 0.6583]`: the mean over concepts and its interval.
fn cell(cell: &Cell) -> String {
    match (cell.mean, cell.interval) {
        (Some(mean), Some(interval)) => format!("{mean:.4} {interval}"),
        (Some(mean), None) => format!("{mean:.4}"),
        (None, _) => "missing".to_owned(),
    }
}
