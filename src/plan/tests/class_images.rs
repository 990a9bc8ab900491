//! Class images: who needs them, who shares them, and what makes them be drawn again.

use std::collections::BTreeSet;

use super::{changed_stages, diff, json, planned, trained, with};
use crate::job::Stage;

/// Methods that need class images, and some that do not.
fn with_priors() -> String {
    with(
        "  plain: {method: vico, steps: 40, mask: false}",
        "  db: {method: dreambooth}\n  cd: {method: custom_diffusion}\n  ti: {method: textual_inversion}\n  lora: {method: lora}",
    )
    .replace(
        "concepts:\n",
        "concepts:\n  goose: {images: goose/, class: rubber duck, kind: object}\n",
    )
}

#[test]
fn the_keys_of_every_method_are_pinned() {
    let plan = planned(&with_priors());
    let jobs: Vec<String> = plan
        .jobs
        .iter()
        .filter(|(_, job)| job.label.ends_with("/duck/train") || job.stage() == Stage::ClassImages)
        .map(|(key, job)| format!("{} {}", key.0.short(), job.label))
        .collect();
    insta::assert_debug_snapshot!(jobs);
}

/// Three concepts of two classes, two methods with a prior: two jobs draw for six trainings.
#[test]
fn class_images_are_drawn_once_for_all_who_need_them() {
    let plan = planned(&with_priors());
    let drawn: BTreeSet<_> = plan.runs.iter().filter_map(|run| run.class_images).collect();
    assert_eq!(drawn.len(), 2);
    for run in &plan.runs {
        let needs = matches!(run.method.as_str(), "db" | "cd");
        assert_eq!(run.class_images.is_some(), needs, "{}", run.method);
        let upstream: Vec<_> = run.class_images.into_iter().collect();
        assert_eq!(plan.jobs[&trained(run)].upstream, upstream);
    }
    let labels: BTreeSet<&str> = drawn.iter().map(|key| plan.jobs[key].label.as_str()).collect();
    let expected = [
        "a-photo-of-a-cat/class_images",
        "a-photo-of-a-rubber-duck/class_images",
    ];
    assert_eq!(labels.into_iter().collect::<Vec<_>>(), expected);
    let summary = plan.summary(&BTreeSet::new());
    assert_eq!(summary.class_images, 400);
    let seeds = planned(&format!("{}matrix: {{train_seed: [0, 1, 2]}}\n", with_priors()));
    let drawn_for_seeds: BTreeSet<_> = seeds.runs.iter().filter_map(|run| run.class_images).collect();
    assert_eq!(drawn_for_seeds, drawn);
}

#[test]
fn class_images_drawn_in_two_ways_have_two_names() {
    let text = with_priors().replace("{method: dreambooth}", "{method: dreambooth, prior: {seed: 5}}");
    let plan = planned(&text);
    let labels: BTreeSet<&str> = plan.jobs.values().map(|job| job.label.as_str()).collect();
    assert_eq!(labels.len(), plan.jobs.len());
    assert!(
        labels.iter().any(|label| label.starts_with("a-photo-of-a-cat@")),
        "{labels:?}"
    );
}

#[test]
fn each_setting_of_a_prior_invalidates_what_reads_it() {
    use Stage::{ClassImages, Sample, Score, Train};
    let cases: [(&str, &[Stage]); 5] = [
        ("{weight: 0.5}", &[Train, Sample, Score]),
        ("{seed: 5}", &[ClassImages, Train, Sample, Score]),
        ("{class_images: 20}", &[ClassImages, Train, Sample, Score]),
        ("{prompt: \"a {class}\"}", &[ClassImages, Train, Sample, Score]),
        ("{weight: 1.0}", &[]),
    ];
    let before = planned(&with_priors());
    for (prior, expected) in cases {
        let text = with_priors();
        let text = text.replace(
            "{method: dreambooth}",
            &format!("{{method: dreambooth, prior: {prior}}}"),
        );
        assert_eq!(changed_stages(&before, &planned(&text)), expected, "{prior}");
    }
    let resized = with_priors().replace("images_per_prompt: 2", "images_per_prompt: 2, size: 256");
    assert_eq!(
        changed_stages(&before, &planned(&resized)),
        [ClassImages, Train, Sample, Score]
    );
    let protocols = with_priors().replace("dino: /models/dino", "dino: /models/dino, protocols: [bench-v1]");
    assert_eq!(changed_stages(&before, &planned(&protocols)), [Score]);
}

#[test]
fn why_and_diff_reach_down_to_the_class_images() {
    let before = planned(&with_priors());
    let why = before
        .find("db/cat/train")
        .first()
        .and_then(|job| before.why(*job))
        .map(|why| why.to_string())
        .unwrap_or_default();
    let after =
        planned(&with_priors().replace("{method: dreambooth}", "{method: dreambooth, prior: {seed: 5}}"));
    let changes = diff(&before, &after).changes;
    insta::assert_snapshot!(format!("{why}\n{}", json(&changes)));
}
