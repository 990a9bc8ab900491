//! `report/index.html`: the whole sweep on one page that needs nothing but the images beside it.
//!
//! It works from a file system and from a bucket, without a server and, but for the enlarged view and sorting, without
//! scripts. Same receipts, same bytes: nothing here asks for the time or a random number.

mod board;
mod failures;
mod gallery;
mod grids;
mod heat;
mod labels;
mod provenance;
mod scatter;
mod shot;

use maud::{DOCTYPE, PreEscaped, html};

use crate::report::paths::Paths;
use crate::report::{Leaderboard, Record, RunOutcome, SampleRow};

/// Path of the page below `results/<sweep>/`.
pub(super) const PATH: &str = "report/index.html";
/// From the page to what lies beside its folder.
const UP: &str = "../";

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The document. `rows` are the images of all runs, in the runs' order.
pub(super) fn page(
    board: &Leaderboard,
    runs: &[RunOutcome],
    rows: &[SampleRow],
    record: &Record,
    paths: &Paths,
) -> String {
    let drawn = shot::by_run(runs, rows, paths);
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (board.sweep) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (board.sweep) }
                    p { (summary(board, runs, rows.len())) }
                    nav {
                        @for (id, name) in SECTIONS { a href={ "#" (id) } { (name) } " " }
                    }
                }
                (board::section(board))
                (scatter::section(board))
                (heat::section(board, runs))
                (grids::section(&drawn, paths))
                (gallery::section(&drawn))
                (failures::section(runs, record))
                (provenance::section(runs, record))
                (shot::enlarged())
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    document.into_string()
}

const SECTIONS: [(&str, &str); 7] = [
    ("leaderboard", "Leaderboard"),
    ("trade-off", "Trade-off"),
    ("concepts", "By concept"),
    ("images", "Images"),
    ("extremes", "Best, worst, most copied"),
    ("failures", "Failures"),
    ("provenance", "Provenance"),
];

fn summary(board: &Leaderboard, runs: &[RunOutcome], drawn: usize) -> String {
    let mut concepts: Vec<&str> = runs.iter().map(|run| run.concept.as_str()).collect();
    concepts.sort_unstable();
    concepts.dedup();
    let wanted: usize = runs.iter().map(RunOutcome::images_wanted).sum();
    format!(
        "{} rows, {} concepts, {} runs, {drawn} of {wanted} images",
        board.rows.len(),
        concepts.len(),
        runs.len(),
    )
}

/// `bench-v1/dino_i` as people write it: `DINO-I`.
fn metric_title(column: &str) -> String {
    let metric = column.split_once('/').map_or(column, |(_, metric)| metric);
    match metric {
        "clip_i" => "CLIP-I".to_owned(),
        "clip_t" => "CLIP-T".to_owned(),
        "dino_i" => "DINO-I".to_owned(),
        "oracle_clip_i" => "CLIP-I, real photos".to_owned(),
        "oracle_dino_i" => "DINO-I, real photos".to_owned(),
        other => other.replace('_', " "),
    }
}
