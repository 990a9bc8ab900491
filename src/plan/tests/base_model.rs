//! The base model beside the methods: drawn and measured like them, and never trained.

use std::collections::BTreeSet;

use super::{planned, with};
use crate::job::Stage;

const PLAIN: &str = "  plain: {method: vico, steps: 40, mask: false}";

#[test]
fn it_is_sampled_and_scored_but_not_trained() {
    let plan = planned(&with(PLAIN, "  base: {method: base_model}"));
    let runs: Vec<_> = plan
        .runs
        .iter()
        .filter(|run| run.method.as_str() == "base")
        .collect();
    assert!(!runs.is_empty());
    for run in runs {
        let stages: Vec<Stage> = run.jobs().map(|(stage, _)| stage).collect();
        assert_eq!(stages, [Stage::Sample, Stage::Score]);
        assert_eq!(plan.jobs[&run.sample].upstream, []);
    }
}

/// Nothing of it depends on a train seed, so several of them draw once.
#[test]
fn train_seeds_share_its_images() {
    let text = with(PLAIN, "  base: {method: base_model}") + "matrix: {train_seed: [0, 1, 2]}\n";
    let plan = planned(&text);
    let runs = plan.runs.iter().filter(|run| run.method.as_str() == "base");
    let (count, samples) = runs.fold((0, BTreeSet::new()), |(count, mut samples), run| {
        samples.insert(run.sample);
        (count + 1, samples)
    });
    assert_eq!(count, 3 * samples.len());
}
