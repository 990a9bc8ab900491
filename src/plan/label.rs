//! What jobs are called: the method, what is common to all runs that share the job, the concept, the stage.

use std::collections::BTreeMap;

use super::Run;
use crate::ids::JobKey;
use crate::job::Stage;

/// The name of every job of these runs.
pub(super) fn labels(runs: &[Run]) -> BTreeMap<JobKey, String> {
    let several_seeds = runs
        .windows(2)
        .any(|pair| pair[0].train_seed != pair[1].train_seed);
    let mut shared: BTreeMap<JobKey, (Stage, Vec<&Run>)> = BTreeMap::new();
    for run in runs {
        let jobs = [
            (Stage::Train, Some(run.train)),
            (Stage::Sample, Some(run.sample)),
            (Stage::Score, run.score),
        ];
        for (stage, key) in jobs {
            if let Some(key) = key {
                shared.entry(key).or_insert((stage, Vec::new())).1.push(run);
            }
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
        runs.iter()
            .all(|run| run.point.split(',').any(|other| other == *part))
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
