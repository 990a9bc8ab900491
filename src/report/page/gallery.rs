//! The images at the ends of the scale: what a mean hides.

use maud::{Markup, html};

use super::shot::{Drawn, Shot};

const SHOWN: usize = 8;
const COPY: &str = "health/copy_score";

pub(super) fn section(drawn: &[Drawn<'_>]) -> Markup {
    let shots: Vec<Shot<'_>> = drawn.iter().flat_map(Drawn::shots).collect();
    let fidelity = fidelity(&shots);
    html! {
        section #extremes {
            h2 { "Best, worst, most copied" }
            @match &fidelity {
                Some(metric) => {
                    (strip(&format!("Best by {metric}"), &highest(&shots, metric)))
                    (strip(&format!("Worst by {metric}"), &lowest(&shots, metric)))
                }
                None => p { "No image has a DINO-I." },
            }
            (strip("Closest to a single photo: look for copies", &highest(&shots, COPY)))
        }
    }
}

/// The first DINO-I that any image has, the clean protocol's if it is there.
fn fidelity(shots: &[Shot<'_>]) -> Option<String> {
    let metrics = shots.iter().flat_map(|shot| shot.row.values.keys());
    metrics.filter(|name| name.ends_with("/dino_i")).min().cloned()
}

/// Images that have the metric, ascending; equal ones by name, so that the page is always the same.
fn ascending<'a>(shots: &[Shot<'a>], metric: &str) -> Vec<(f64, Shot<'a>)> {
    let mut measured: Vec<_> = shots
        .iter()
        .filter_map(|shot| Some((*shot.row.values.get(metric)?, *shot)))
        .collect();
    measured.sort_by(|(a, first), (b, second)| {
        a.total_cmp(b)
            .then_with(|| first.row.file_name.cmp(&second.row.file_name))
    });
    measured
}

fn lowest<'a>(shots: &[Shot<'a>], metric: &str) -> Vec<(f64, Shot<'a>)> {
    let mut found = ascending(shots, metric);
    found.truncate(SHOWN);
    found
}

fn highest<'a>(shots: &[Shot<'a>], metric: &str) -> Vec<(f64, Shot<'a>)> {
    ascending(shots, metric).into_iter().rev().take(SHOWN).collect()
}

fn strip(title: &str, shots: &[(f64, Shot<'_>)]) -> Markup {
    html! {
        @if !shots.is_empty() {
            h3 { (title) }
            div.strip {
                @for (value, shot) in shots {
                    figure {
                        (shot.thumbnail())
                        figcaption { (shot.run.method_at_point()) br; (shot.row.concept) " " (format!("{value:.3}")) }
                    }
                }
            }
        }
    }
}
