//! What is not there, and why.

use maud::{Markup, html};

use crate::report::{Record, RunOutcome};

pub(super) fn section(runs: &[RunOutcome], record: &Record) -> Markup {
    let incomplete: Vec<&RunOutcome> = runs.iter().filter(|run| first_missing(run).is_some()).collect();
    html! {
        section #failures {
            h2 { "Failures" }
            @if record.failures.is_empty() && incomplete.is_empty() { p { "None: every job of every run is done." } }
            @if !record.failures.is_empty() {
                table {
                    thead { tr { th { "job" } th { "why" } } }
                    tbody {
                        @for failure in &record.failures {
                            tr { th { (failure.label) } td { (failure.reason) } }
                        }
                    }
                }
            }
            @if !incomplete.is_empty() {
                p { (incomplete.len()) " of " (runs.len()) " runs are not complete:" }
                ul {
                    @for run in incomplete {
                        li {
                            (run.method_at_point()) " / " (run.concept) ", train seed " (run.train_seed) ": no "
                            (first_missing(run).unwrap_or_default())
                        }
                    }
                }
            }
        }
    }
}

/// What a run lacks first, in the order of its stages.
fn first_missing(run: &RunOutcome) -> Option<&'static str> {
    if run.is_trained && run.train.is_none() {
        Some("adapter")
    } else if run.sample.is_none() {
        Some("images")
    } else if run.is_measured && run.scores.is_none() {
        Some("scores")
    } else {
        None
    }
}
