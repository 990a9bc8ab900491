//! `samples.csv` and `leaderboard.csv`: RFC 4180, one header line, empty where a value is missing.

use std::fmt::Write as _;

use crate::report::{Cell, Column, Leaderboard, SampleRow};

/// Names of the columns that every row has, before the metrics. `samples.parquet` uses the same.
pub(super) const FIXED_COLUMNS: [&str; 9] = [
    "method",
    "point",
    "concept",
    "train_seed",
    "prompt_index",
    "sample",
    "prompt",
    "file_name",
    "blake3",
];

/// The table with one column per metric, in the order of `metrics`.
pub(super) fn samples(rows: &[SampleRow], metrics: &[String]) -> String {
    let header = FIXED_COLUMNS
        .into_iter()
        .chain(metrics.iter().map(String::as_str));
    let mut text = line(header.map(str::to_owned));
    for row in rows {
        let values = metrics
            .iter()
            .map(|metric| row.values.get(metric).map_or_else(String::new, f64::to_string));
        text.push_str(&line(fixed(row).into_iter().chain(values)));
    }
    text
}

/// `leaderboard.csv`: one line per row and column of the leaderboard.
pub(super) fn leaderboard(board: &Leaderboard) -> String {
    let header = [
        "method",
        "metric",
        "mean",
        "sd",
        "low",
        "high",
        "seed_sd",
        "concepts",
        "images",
        "images_wanted",
        "signature",
    ];
    let mut text = line(header.into_iter().map(str::to_owned));
    for row in &board.rows {
        for (column, cell) in board.columns.iter().zip(&row.cells) {
            text.push_str(&line(cell_fields(&row.method, column, cell).into_iter()));
        }
    }
    text
}

fn cell_fields(method: &str, column: &Column, cell: &Cell) -> [String; 11] {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    [
        method.to_owned(),
        column.name.clone(),
        number(cell.mean),
        number(cell.sd),
        number(cell.interval.map(|interval| interval.low)),
        number(cell.interval.map(|interval| interval.high)),
        number(cell.seed_sd),
        cell.concepts.to_string(),
        cell.images.to_string(),
        cell.images_wanted.to_string(),
        column.signatures.join(" "),
    ]
}

fn fixed(row: &SampleRow) -> [String; 9] {
    [
        row.method.clone(),
        row.point.clone(),
        row.concept.clone(),
        row.train_seed.to_string(),
        row.prompt_index.to_string(),
        row.sample.to_string(),
        row.prompt.clone(),
        row.file_name.clone(),
        row.digest.to_string(),
    ]
}

fn line(fields: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for (i, field) in fields.enumerate() {
        if i > 0 {
            text.push(',');
        }
        write_field(&mut text, &field);
    }
    text.push_str("\r\n");
    text
}

fn write_field(text: &mut String, field: &str) {
    if field.contains([',', '"', '\n', '\r']) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\"{}\"", field.replace('"', "\"\""));
    } else {
        text.push_str(field);
    }
}
