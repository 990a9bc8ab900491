//! The images themselves: for each concept its photos, then every prompt with the same starting noise side by side.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::UP;
use super::shot::Drawn;
use crate::report::RunOutcome;
use crate::report::paths::Paths;

/// More prompts than these are in the folder, not on the page: a full benchmark would make it too large to open.
const PROMPTS: usize = 12;
/// Samples of a prompt on the page.
const SAMPLES: u32 = 4;

pub(super) fn section(drawn: &[Drawn<'_>], paths: &Paths) -> Markup {
    let mut concepts: BTreeMap<&str, Vec<&Drawn<'_>>> = BTreeMap::new();
    for of_run in drawn {
        concepts
            .entry(of_run.run.concept.as_str())
            .or_default()
            .push(of_run);
    }
    html! {
        section #images {
            h2 { "Images" }
            p.small {
                "A row shows one prompt and one sample: every method starts from the same noise. At most "
                (PROMPTS) " prompts and " (SAMPLES) " samples of each are shown here; all are in "
                a href={ (UP) "images/" } { "images/" } "."
            }
            @for (concept, drawn) in &concepts { (of_concept(concept, drawn, paths)) }
        }
    }
}

fn of_concept(concept: &str, drawn: &[&Drawn<'_>], paths: &Paths) -> Markup {
    let runs: Vec<&RunOutcome> = drawn.iter().map(|of_run| of_run.run).collect();
    let prompts = asked_for(&runs);
    html! {
        details open {
            summary id={ "concept-" (concept) } { (concept) }
            div.strip {
                @for file in references(&runs) { img src={ (UP) (file) } alt={ "photo of " (concept) } loading="lazy"; }
            }
            div.wide { table.grid {
                thead { tr {
                    th { "prompt" }
                    @for run in &runs { th { (paths.variant(run)) } }
                } }
                tbody {
                    @for prompt in prompts.iter().take(PROMPTS) {
                        @for line in lines(prompt, drawn) { (line) }
                    }
                }
            } }
            @if prompts.len() > PROMPTS { p.small { (prompts.len() - PROMPTS) " more prompts are in the folder." } }
        }
    }
}

/// Prompts of the runs with their `{}`, in the order that the first run to have one has it.
fn asked_for<'a>(runs: &[&'a RunOutcome]) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    let all = runs.iter().flat_map(|run| &run.patterns).map(String::as_str);
    all.filter(|pattern| seen.insert(*pattern)).collect()
}

/// The photos of all runs, once.
fn references(runs: &[&RunOutcome]) -> BTreeSet<String> {
    let of_run = |run: &&RunOutcome| {
        let photos = 0..run.references.len();
        photos
            .map(|number| Paths::reference(run, number))
            .collect::<Vec<_>>()
    };
    runs.iter().flat_map(of_run).collect()
}

/// One table row per sample of a prompt.
fn lines(pattern: &str, drawn: &[&Drawn<'_>]) -> Vec<Markup> {
    let samples = drawn.iter().map(|of_run| of_run.run.images_per_prompt);
    let samples = samples.max().unwrap_or_default();
    let line = |sample: u32| {
        html! {
            tr {
                th { @if sample == 0 { (pattern) } }
                @for of_run in drawn { td { (place(pattern, sample, of_run)) } }
            }
        }
    };
    (0..samples.min(SAMPLES)).map(line).collect()
}

fn place(pattern: &str, sample: u32, of_run: &Drawn<'_>) -> Markup {
    let run = of_run.run;
    let asked = run.patterns.iter().any(|own| own == pattern) && sample < run.images_per_prompt;
    let mut shots = of_run.shots();
    let shot = shots.find(|shot| shot.row.sample == sample && shot.row.pattern == pattern);
    html! {
        @match (shot, asked) {
            (Some(shot), _) => (shot.thumbnail()),
            (None, true) => span.missing { "missing" },
            (None, false) => span.small { "not asked for" },
        }
    }
}
