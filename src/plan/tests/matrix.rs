//! What the points of a matrix share, and what they have of their own.

use std::collections::BTreeSet;

use super::{MANIFEST, planned, with};
use crate::job::Stage;
use crate::plan::Plan;

#[test]
fn points_share_what_they_do_not_change() {
    let plan = planned(&format!(
        "{MANIFEST}matrix: {{sampling.guidance: [3, 7.5], train_seed: [0, 1]}}\n"
    ));
    let jobs = |stage| plan.jobs.values().filter(|job| job.stage() == stage).count();
    assert_eq!(
        (plan.runs.len(), jobs(Stage::Train), jobs(Stage::Sample)),
        (16, 8, 16)
    );
    let labels: BTreeSet<&str> = plan.jobs.values().map(|job| job.label.as_str()).collect();
    assert!(labels.contains("vico@seed=1/cat/train"), "{labels:?}");
    assert!(labels.contains("vico@guidance=3,seed=0/cat/score"), "{labels:?}");
    assert_eq!(labels.len(), plan.jobs.len());
}

/// Whatever the base model draws or teaches is kept apart; what is not asked for is not in a key.
#[test]
fn precisions_have_jobs_of_their_own() {
    let prior = with(
        "vico: {method: vico",
        "dreambooth: {method: dreambooth, prior: {}}\n  vico: {method: vico",
    );
    let one = planned(&prior);
    let both = planned(&format!("{prior}matrix: {{base.precision: [f32, bf16]}}\n"));
    let jobs = |plan: &Plan, stage| plan.jobs.values().filter(|job| job.stage() == stage).count();
    for stage in [Stage::ClassImages, Stage::Train, Stage::Sample] {
        assert_eq!(
            (jobs(&one, stage) > 0, jobs(&both, stage)),
            (true, 2 * jobs(&one, stage)),
            "{stage}"
        );
    }
    assert!(both.jobs.keys().all(|key| !one.jobs.contains_key(key)));
}

#[test]
fn an_axis_multiplies_only_what_it_concerns() {
    let plan = planned(&format!(
        "{MANIFEST}matrix: {{methods.vico.steps: [10, 20], concepts.duck.init: [duck, toy]}}\n"
    ));
    let runs = |method: &str, concept: &str| {
        let same = plan
            .runs
            .iter()
            .filter(|run| run.method.as_str() == method && run.concept.as_str() == concept);
        same.map(|run| run.point.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(runs("plain", "cat"), [""]);
    assert_eq!(runs("plain", "duck"), ["init=duck", "init=toy"]);
    assert_eq!(runs("vico", "cat"), ["steps=10", "steps=20"]);
    assert_eq!(runs("vico", "duck").len(), 4);
}
