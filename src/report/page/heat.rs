//! Concepts × rows: where a method is good and where it fails.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::metric_title;
use crate::report::cell::concept_means;
use crate::report::leaderboard::by_row;
use crate::report::{Column, Leaderboard, RunOutcome};

/// Concept, then row, to the mean.
type Means = BTreeMap<String, BTreeMap<String, f64>>;

pub(super) fn section(board: &Leaderboard, runs: &[RunOutcome]) -> Markup {
    let scores: Vec<&Column> = board.columns.iter().filter(|column| column.is_score()).collect();
    let rows = by_row(runs);
    html! {
        section #concepts {
            h2 { "By concept" }
            @if scores.is_empty() { p { "Nothing was measured." } }
            @for (at, column) in scores.iter().enumerate() {
                details open[at == 0] {
                    summary { (metric_title(&column.name)) " " small { (column.name) } }
                    (map(board, &means(&column.name, &rows)))
                }
            }
        }
    }
}

fn means(metric: &str, rows: &BTreeMap<String, Vec<&RunOutcome>>) -> Means {
    let mut means = Means::new();
    for concept in rows.values().flatten().map(|run| run.concept.to_string()) {
        means.entry(concept).or_default();
    }
    for (row, runs) in rows {
        for (concept, mean) in concept_means(metric, runs) {
            means.entry(concept).or_default().insert(row.clone(), mean);
        }
    }
    means
}

fn map(board: &Leaderboard, means: &Means) -> Markup {
    let all: Vec<f64> = means.values().flat_map(BTreeMap::values).copied().collect();
    let low = all.iter().copied().fold(f64::INFINITY, f64::min);
    let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    html! {
        div.wide { table.sortable.heat {
            thead { tr {
                th { "concept" }
                @for row in &board.rows { th { (row.method) } }
            } }
            tbody {
                @for (concept, of_rows) in means {
                    tr {
                        th { a href={ "#concept-" (concept) } { (concept) } }
                        @for row in &board.rows { (cell(of_rows.get(&row.method), (low, high))) }
                    }
                }
            }
        } }
    }
}

fn cell(mean: Option<&f64>, (low, high): (f64, f64)) -> Markup {
    let Some(mean) = mean else {
        return html! { td.missing { "missing" } };
    };
    let share = if high > low {
        (mean - low) / (high - low)
    } else {
        0.5
    };
    html! {
        td data-value=(mean) style=(format!("background:rgba(31,119,180,{:.2})", 0.6 * share)) { (format!("{mean:.3}")) }
    }
}
