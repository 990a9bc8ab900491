//! Keys are stable, changes invalidate exactly what reads them, and bad inputs are told with their place.

mod base_model;
mod class_images;
mod custom_concept101;
mod dreambench;
mod matrix;
mod shipped;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{ModelRole, Need, Plan, Resolved, ResolvedFile, Run, diff, expand, needs};
use crate::digest::Digest;
use crate::ids::JobKey;
use crate::job::Stage;
use crate::manifest::{Errors, Manifest, Origin, parse};
use crate::spec::{FileSource, ModelSource};

const MANIFEST: &str = r#"version: 1
name: tests
base: {model: /models/sd, variant: fp16}
storage: {inputs: images}
concepts:
  duck: {images: duck/, class: rubber duck, kind: object}
  cat: {images: [cat/0.jpg, cat/1.jpg], class: cat, kind: live}
prompt_sets:
  both: {prompts: ["a {} in the snow", "a {} on the beach"]}
  live: {builtin: vico/live, for: {kind: live}}
methods:
  vico: {method: vico, steps: 40}
  plain: {method: vico, steps: 40, mask: false}
sampling: {images_per_prompt: 2}
metrics: {clip: /models/clip, dino: /models/dino}
"#;

fn manifest(text: &str) -> Manifest {
    match parse(text.as_bytes(), "manifest.yaml") {
        Ok(manifest) => manifest,
        Err(errors) => panic!("{errors}\n{text}"),
    }
}

fn origin() -> Origin {
    match "file:///home/me/".parse() {
        Ok(origin) => origin,
        Err(error) => panic!("{error}"),
    }
}

/// A world in which everything that is needed is there, with bytes that depend on the URL alone.
fn world(manifest: &Manifest) -> Resolved {
    let mut resolved = Resolved::default();
    for need in needs(manifest, &origin()) {
        let url = need.url().to_owned();
        match &need {
            Need::ImageFolder(_) => drop(resolved.images.insert(url.clone(), images(&url, 3))),
            Need::ImageFile(_) => drop(resolved.images.insert(url.clone(), images(&url, 1))),
            Need::ConceptFolders(_) if url.ends_with("/benchmark_dataset") => {
                resolved.concepts.insert(url, custom_concept101::folders(101));
            }
            Need::PromptFile(_) if url.ends_with("/dataset.json") => {
                resolved.prompts.insert(url, custom_concept101::list(101));
            }
            Need::PromptFolder(_) => {
                resolved
                    .prompt_folders
                    .insert(url, custom_concept101::prompts(20));
            }
            Need::ConceptFolders(_) => {
                let folders = ["brown_dog2", "red-teapot"].map(|name| (name.to_owned(), images(name, 2)));
                resolved.concepts.insert(url, BTreeMap::from(folders));
            }
            Need::PromptFile(_) => drop(
                resolved
                    .prompts
                    .insert(url, "# mine\na {} at home\n\na wet {}\n".to_owned()),
            ),
            Need::Model { role, variant, .. } => {
                let model = model(&url, *role, variant.as_deref());
                resolved.models.insert(need, model.into());
            }
        }
    }
    resolved
}

fn images(seed: &str, count: usize) -> Vec<ResolvedFile> {
    let file = |i: usize| ResolvedFile {
        name: format!("{i}.jpg"),
        digest: Digest::of(format!("{seed} {i}").as_bytes()),
        size: 1000,
    };
    (0..count).map(file).collect()
}

fn model(url: &str, role: ModelRole, variant: Option<&str>) -> ModelSource {
    let digest = Digest::of(format!("{role:?} {variant:?}").as_bytes());
    ModelSource {
        url: url.to_owned(),
        files: vec![FileSource {
            path: "config.json".to_owned(),
            digest,
            size: 5000,
        }],
    }
}

fn planned_in(manifest: &Manifest, world: &Resolved) -> Plan {
    match expand(manifest, &origin(), world) {
        Ok(plan) => plan,
        Err(errors) => panic!("{errors}"),
    }
}

fn planned(text: &str) -> Plan {
    let manifest = manifest(text);
    planned_in(&manifest, &world(&manifest))
}

fn refused(manifest: &Manifest, world: &Resolved) -> Errors {
    match expand(manifest, &origin(), world) {
        Ok(plan) => panic!("accepted: {plan:?}"),
        Err(errors) => errors,
    }
}

fn with(old: &str, new: &str) -> String {
    assert!(MANIFEST.contains(old), "{old:?} is not in the manifest");
    MANIFEST.replace(old, new)
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The train job of a run of a method that learns.
fn trained(run: &Run) -> JobKey {
    run.train.expect("the method learns")
}

/// Stages of which some job has another key.
fn changed_stages(before: &Plan, after: &Plan) -> Vec<Stage> {
    let stages = diff(before, after).stages.into_iter();
    stages
        .filter(|stage| stage.added + stage.removed > 0)
        .map(|stage| stage.stage)
        .collect()
}

#[test]
fn needs_are_absolute_and_each_named_once() {
    let text = with(
        "concepts:\n",
        "concepts_from: {layout: folders, uri: more}\nconcepts:\n",
    )
    .replace(
        "  live: {builtin: vico/live, for: {kind: live}}",
        "  live: {file: s3://bench/prompts.txt}\n  again: {file: s3://bench/prompts.txt}",
    );
    insta::assert_debug_snapshot!(needs(&manifest(&text), &origin()));
}

#[test]
fn a_run_is_a_chain_of_three_jobs() {
    let plan = planned(MANIFEST);
    assert_eq!((plan.runs.len(), plan.jobs.len()), (4, 12));
    for run in &plan.runs {
        let train = trained(run);
        assert_eq!(plan.jobs[&train].upstream, []);
        assert_eq!(plan.jobs[&run.sample].upstream, [train]);
        let score = run.score.map(|score| plan.jobs[&score].upstream.clone());
        assert_eq!(score, Some(vec![run.sample]));
    }
    for (key, job) in &plan.jobs {
        assert_eq!(job.spec.inputs.key().ok(), Some(*key));
    }
}

/// Guards against changing every key by accident. Change it only together with a version of an algorithm or a spec.
#[test]
fn keys_are_pinned() {
    let plan = planned(MANIFEST);
    let jobs: Vec<String> = plan
        .jobs
        .iter()
        .map(|(key, job)| format!("{} {}", key.0.short(), job.label))
        .collect();
    insta::assert_debug_snapshot!((plan.sweep.to_string(), jobs));
}

#[test]
fn each_field_invalidates_the_stages_that_read_it() {
    use Stage::{Sample, Score, Train};
    let guidance = ("images_per_prompt: 2", "images_per_prompt: 2, guidance: 5");
    let cases: [((&str, &str), &[Stage]); 13] = [
        (
            ("name: tests", "name: tests\ndescription: other\nlabels: {a: b}"),
            &[],
        ),
        (
            (
                "metrics:",
                "resources: {train: {vram: 16GiB}}\nretry: {attempts: 9, checkpoint_every: 7 steps}\nmetrics:",
            ),
            &[],
        ),
        (
            ("dino: /models/dino", "dino: /models/dino, protocols: [bench-v1]"),
            &[Score],
        ),
        (guidance, &[Sample, Score]),
        (
            ("images_per_prompt: 2", "images_per_prompt: 2, seeds: {base: 7}"),
            &[Sample, Score],
        ),
        (("on the beach", "in the sea"), &[Sample, Score]),
        (
            ("steps: 40}", "steps: 40, reference: {index: 1}}"),
            &[Sample, Score],
        ),
        (
            ("images_per_prompt: 2", "images_per_prompt: 2, size: 256"),
            &[Train, Sample, Score],
        ),
        (("steps: 40}", "steps: 41}"), &[Train, Sample, Score]),
        (
            ("class: cat", "class: cat, init: kitten"),
            &[Train, Sample, Score],
        ),
        (("variant: fp16", "variant: bf16"), &[Train, Sample, Score]),
        (
            ("variant: fp16", "variant: fp16, precision: bf16"),
            &[Train, Sample, Score],
        ),
        (("methods:", "train_seed: 1\nmethods:"), &[Train, Sample, Score]),
    ];
    let before = planned(MANIFEST);
    for ((old, new), expected) in cases {
        let after = planned(&with(old, new));
        assert_eq!(changed_stages(&before, &after), expected, "{old} → {new}");
    }
}

#[test]
fn a_diff_names_the_field_and_what_it_costs() {
    let after = with("images_per_prompt: 2", "images_per_prompt: 2, guidance: 5");
    let after = after.replace("dino: /models/dino", "dino: /models/dino, protocols: [bench-v1]");
    let after = after.replace("  plain:", "  other:");
    insta::assert_snapshot!(json(&diff(&planned(MANIFEST), &planned(&after))));
}

#[test]
fn a_changed_photo_concerns_its_concept_alone() {
    let manifest = manifest(MANIFEST);
    let before = world(&manifest);
    let mut after = before.clone();
    for files in after
        .images
        .iter_mut()
        .filter(|(url, _)| url.ends_with("/duck"))
        .map(|(_, files)| files)
    {
        files[1].digest = Digest::of(b"another photo");
    }
    let (before, after) = (planned_in(&manifest, &before), planned_in(&manifest, &after));
    for (old, new) in before.runs.iter().zip(&after.runs) {
        let is_duck = old.concept.as_str() == "duck";
        let differ = [
            old.train != new.train,
            old.sample != new.sample,
            old.score != new.score,
        ];
        assert_eq!(differ, [is_duck; 3], "{}", old.concept);
    }
}

#[test]
fn where_things_lie_is_not_part_of_a_key() {
    let moved = MANIFEST
        .replace("/models/", "s3://bench/models/")
        .replace("inputs: images", "inputs: s3://bench/images");
    let manifest = manifest(&moved);
    let mut world = world(&manifest);
    for (url, files) in &mut world.images {
        for file in files {
            let there = url.replace("s3://bench/", "file:///home/me/");
            file.digest = images(&there, 3)[file.name[..1].parse::<usize>().unwrap_or_default()].digest;
        }
    }
    assert_eq!(planned_in(&manifest, &world).sweep, planned(MANIFEST).sweep);
}

#[test]
fn folders_become_concepts() {
    let text = with(
        "concepts:\n",
        "concepts_from: {layout: folders, uri: more, kind: object}\nconcepts:\n",
    );
    let plan = planned(&text);
    let mut words = BTreeSet::new();
    for job in plan.jobs.values() {
        if let crate::spec::JobInputs::Train(inputs) = &job.spec.inputs {
            words.insert(format!(
                "{}: {}, {}",
                inputs.concept.id, inputs.concept.class, inputs.concept.initializer
            ));
        }
    }
    let expected = [
        "brown_dog2: brown dog, dog",
        "cat: cat, cat",
        "duck: rubber duck, duck",
        "red-teapot: red teapot, teapot",
    ];
    assert_eq!(words.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn nothing_is_measured_without_protocols() {
    let plan = planned(&with(
        "{clip: /models/clip, dino: /models/dino}",
        "{protocols: []}",
    ));
    assert!(plan.runs.iter().all(|run| run.score.is_none()));
    assert_eq!(plan.jobs.len(), 8);
}

#[test]
fn plans_survive_json_and_jobs_theirs() {
    let mut plan = planned(MANIFEST);
    let jobs = std::mem::take(&mut plan.jobs);
    let text = serde_json::to_string(&plan).unwrap_or_default();
    assert_eq!(serde_json::from_str::<Plan>(&text).ok(), Some(plan));
    for job in jobs.into_values() {
        let text = serde_json::to_string(&job).unwrap_or_default();
        assert_eq!(serde_json::from_str(&text).ok(), Some(job));
    }
}

#[test]
fn a_summary_counts_what_is_done() {
    let plan = planned(MANIFEST);
    let done = plan.runs.iter().take(2).filter_map(|run| run.train).collect();
    insta::assert_snapshot!(json(&plan.summary(&done)));
}

#[test]
fn why_shows_the_inputs_down_to_the_first_stage() {
    let plan = planned(MANIFEST);
    let jobs = plan.find("vico/duck/score");
    let why = jobs
        .first()
        .and_then(|job| plan.why(*job))
        .map(|why| why.to_string());
    insta::assert_snapshot!(why.unwrap_or_default());
    let prefix = jobs.first().map(|key| key.0.short()).unwrap_or_default();
    assert_eq!(plan.find(&prefix), jobs);
}

#[test]
fn inputs_that_do_not_fit_are_told_with_their_place() {
    let text = with(
        "concepts:\n",
        "concepts_from: {layout: folders, uri: more}\nconcepts:\n",
    )
    .replace(
        "both: {prompts: [\"a {} in the snow\", \"a {} on the beach\"]}",
        "both: {file: mine.txt}",
    )
    .replace("mask: false", "mask: false, reference: {index: 2}");
    let manifest = manifest(&text);
    let mut world = world(&manifest);
    let duck = world
        .images
        .get("file:///home/me/images/duck")
        .cloned()
        .unwrap_or_default();
    let folders = [("cat", duck.clone()), ("..", duck.clone()), ("copy", duck)]
        .map(|(name, files)| (name.to_owned(), files));
    world
        .concepts
        .insert("file:///home/me/images/more".to_owned(), BTreeMap::from(folders));
    world
        .images
        .insert("file:///home/me/images/cat/0.jpg".to_owned(), Vec::new());
    world.prompts.insert(
        "file:///home/me/mine.txt".to_owned(),
        "a {} here\na duck\na {0} {1} there\n".to_owned(),
    );
    insta::assert_snapshot!(refused(&manifest, &world).to_string());
}

#[test]
fn concepts_without_images_are_told() {
    let manifest = manifest(MANIFEST);
    let mut world = world(&manifest);
    world.images.values_mut().for_each(Vec::clear);
    insta::assert_snapshot!(refused(&manifest, &world).to_string());
}

#[test]
fn an_unanswered_need_is_no_panic() {
    let errors = refused(&manifest(MANIFEST), &Resolved::default());
    assert_eq!(errors.problems.len(), 3, "{errors}");
}

/// The lines of a section in another order, with comments between them.
fn shuffled(section: &str, order: &[usize]) -> String {
    let mut lines: Vec<&str> = section.lines().collect();
    for (i, at) in order.iter().enumerate() {
        let (a, b) = (i % lines.len(), at % lines.len());
        lines.swap(a, b);
    }
    let commented = lines
        .iter()
        .map(|line| format!("# a line\n{line}   # a comment\n"));
    commented.collect::<Vec<_>>().concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_and_comments_do_not_matter(order in prop::collection::vec(0_usize..50, 12)) {
        let concepts = "  duck: {images: duck/, class: rubber duck, kind: object}\n  cat: {images: [cat/0.jpg, cat/1.jpg], class: cat, kind: live}\n";
        let sets = "  both: {prompts: [\"a {} in the snow\", \"a {} on the beach\"]}\n  live: {builtin: vico/live, for: {kind: live}}\n";
        let methods = "  vico: {method: vico, steps: 40}\n  plain: {steps: 40, mask: false, method: vico}\n";
        let head = "version: 1\nname: tests\nbase: {variant: fp16, model: /models/sd}\nstorage: {inputs: images}\nsampling: {images_per_prompt: 2}\nmetrics: {dino: /models/dino, clip: /models/clip}\n";
        let text = format!(
            "methods:\n{}{}concepts:\n{}prompt_sets:\n{}",
            shuffled(methods, &order), shuffled(head, &order), shuffled(concepts, &order), shuffled(sets, &order)
        );
        let plan = planned(&text);
        let expected = planned(MANIFEST);
        prop_assert_eq!(&plan.sweep, &expected.sweep);
        prop_assert_eq!(plan.jobs.keys().collect::<Vec<_>>(), expected.jobs.keys().collect::<Vec<_>>());
    }

    #[test]
    fn guidance_never_touches_training(guidance in 0.0_f64..20.0, base in any::<u64>()) {
        let text = with("images_per_prompt: 2", &format!("images_per_prompt: 2, guidance: {guidance:?}, seeds: {{base: {base}}}"));
        let (before, after) = (planned(MANIFEST), planned(&text));
        prop_assume!(before.sweep != after.sweep);
        prop_assert_eq!(changed_stages(&before, &after), [Stage::Sample, Stage::Score]);
    }

    #[test]
    fn keys_tell_all_settings_apart(steps in 1_u32..1000, batch in 1_u32..8, mask in any::<bool>()) {
        let text = with("steps: 40, mask: false", &format!("steps: {steps}, batch: {batch}, mask: {mask}"));
        let plan = planned(&text);
        let vico = (steps, batch, mask) == (40, 4, true);
        prop_assert_eq!(plan.jobs.len(), if vico { 6 } else { 12 });
        prop_assert_eq!(plan.runs.len(), 4);
    }
}
