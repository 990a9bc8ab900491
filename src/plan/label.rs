//! What jobs are called: the method, what is common to all runs that share the job, the concept, the stage. Class images
//! belong to no method and no concept: they are called by what they show.

use std::collections::{BTreeMap, BTreeSet};

use super::Run;
use crate::ids::JobKey;
use crate::job::Stage;
use crate::spec::{JobInputs, JobSpec};

/// The name of every job of these runs.
pub(super) fn labels(runs: &[Run], jobs: &BTreeMap<JobKey, JobSpec>) -> BTreeMap<JobKey, String> {
    let mut labels = of_runs(runs);
    labels.extend(of_class_images(jobs));
    labels
}

/// `a-photo-of-a-toy/class_images`; with the key's first digits where the same prompt is drawn in several ways.
fn of_class_images(jobs: &BTreeMap<JobKey, JobSpec>) -> BTreeMap<JobKey, String> {
    let mut labels = BTreeMap::new();
    let (mut seen, mut several) = (BTreeSet::new(), BTreeSet::new());
    for (key, spec) in jobs {
        if let JobInputs::ClassImages(inputs) = &spec.inputs {
            let words: Vec<&str> = inputs.prompt.split_whitespace().collect();
            let prompt = words.join("-");
            if !seen.insert(prompt.clone()) {
                several.insert(prompt.clone());
            }
            labels.insert(*key, prompt);
        }
    }
    for (key, prompt) in &mut labels {
        if several.contains(prompt) {
            *prompt = format!("{prompt}@{}", key.0.short());
        }
        *prompt = format!("{prompt}/{}", Stage::ClassImages);
    }
    labels
}

fn of_runs(runs: &[Run]) -> BTreeMap<JobKey, String> {
    let several_seeds = runs
        .windows(2)
        .any(|pair| pair[0].train_seed != pair[1].train_seed);
    let mut shared: BTreeMap<JobKey, (Stage, Vec<&Run>)> = BTreeMap::new();
    for run in runs {
        for (stage, key) in run.jobs() {
            shared.entry(key).or_insert((stage, Vec::new())).1.push(run);
        }
    }
    shared
        .into_iter()
        .map(|(key, (stage, runs))| (key, label(stage, &runs, several_seeds)))
        .collect()
}

fn label(stage: Stage, runs: &[&Run], several_seeds: bool) -> String {
    let Some(first) = runs.first() else {
        return stage.to_string();
    };
    let is_common = |part: &&str| {
        let mut others = runs.iter().skip(1);
        others.all(|run| run.point.split(',').any(|other| other == *part))
    };
    let mut common: Vec<&str> = first
        .point
        .split(',')
        .filter(|part| !part.is_empty())
        .filter(is_common)
        .collect();
    let seed = format!("seed={}", first.train_seed);
    if several_seeds {
        common.push(&seed);
    }
    let at = if common.is_empty() { "" } else { "@" };
    format!(
        "{}{at}{}/{}/{stage}",
        first.method,
        common.join(","),
        first.concept
    )
}
