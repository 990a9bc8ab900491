//! CustomConcept101's folder as it is published, with other words.

use std::collections::{BTreeMap, BTreeSet};

use super::{images, manifest, parse, planned_in, refused, with, world};
use crate::manifest::Manifest;
use crate::plan::{Resolved, ResolvedFile};
use crate::spec::JobInputs;

const ROOT: &str = "file:///home/me/images/cc";

/// Photos of `count` concepts.
pub(super) fn folders(count: usize) -> BTreeMap<String, Vec<ResolvedFile>> {
    let folder = |number: usize| format!("things_{number}");
    (0..count)
        .map(|number| (folder(number), images(&folder(number), 3)))
        .collect()
}

/// A `dataset.json` of them.
pub(super) fn list(count: usize) -> String {
    let entry = |number: usize| {
        serde_json::json!({
            "instance_prompt": "photo of a <new1> bunny plushie",
            "class_prompt": "bunny plushie",
            "instance_data_dir": format!("./benchmark_dataset/things_{number}"),
            "class_data_dir": "./regularization/things",
            "prompt_filename": "prompts/things.txt",
        })
    };
    (0..count).map(entry).collect::<serde_json::Value>().to_string()
}

/// A `prompts/` with one file.
pub(super) fn prompts(count: usize) -> BTreeMap<String, String> {
    let lines: Vec<String> = (0..count)
        .map(|number| format!("Scene {number}, with a {{}}. "))
        .collect();
    [("things.txt".to_owned(), lines.join("\n"))].into()
}

fn data_set() -> (Manifest, Resolved) {
    let text = with(
        "concepts:\n",
        "concepts_from: {layout: customconcept101, uri: cc/, inits: {plushie: toy}}\nconcepts:\n",
    );
    let manifest = manifest(&text);
    let world = world(&manifest);
    (manifest, world)
}

fn spoiled(spoil: impl Fn(&mut Resolved)) -> String {
    let (manifest, mut world) = data_set();
    spoil(&mut world);
    refused(&manifest, &world).to_string()
}

fn edit_list(from: &'static str, to: &'static str) -> impl Fn(&mut Resolved) {
    move |world| {
        let list = world
            .prompts
            .get_mut(&format!("{ROOT}/dataset.json"))
            .expect("it was asked for");
        assert!(list.contains(from), "{list}");
        *list = list.replacen(from, to, 1);
    }
}

fn prompts_are(text: &'static str) -> impl Fn(&mut Resolved) {
    move |world| {
        let folder = world.prompt_folders.get_mut(&format!("{ROOT}/prompts"));
        let folder = folder.expect("it was asked for");
        folder.insert("things.txt".to_owned(), text.to_owned());
    }
}

#[test]
fn every_concept_has_its_class_and_its_own_prompts() {
    let (manifest, mut world) = data_set();
    // A folder that the list does not name is left alone.
    let photos = world.concepts.get_mut(&format!("{ROOT}/benchmark_dataset"));
    photos
        .expect("it was asked for")
        .insert("more".to_owned(), images("more", 2));
    let plan = planned_in(&manifest, &world);
    let mut words = BTreeSet::new();
    for job in plan.jobs.values() {
        if let JobInputs::Sample(inputs) = &job.spec.inputs {
            let (concept, prompts) = (&inputs.concept, &inputs.prompts);
            let first = &prompts[0].0;
            words.insert(format!(
                "{}: {}, {}, {} × {first}",
                concept.id,
                concept.class,
                concept.initializer,
                prompts.len()
            ));
        }
    }
    assert_eq!(words.len(), 101 + 2, "the listed concepts keep the prompt sets");
    assert!(
        words.contains("things_7: bunny plushie, toy, 20 × Scene 0, with a {}."),
        "{words:?}"
    );
}

/// Prompt sets are only for concepts that bring none.
#[test]
fn a_data_set_with_prompts_needs_no_prompt_sets() {
    let head = "version: 1\nname: cc\nbase: {model: sd}\nmethods: {base: {method: base_model}}\nmetrics: {protocols: []}\n";
    let from = |layout: &str| format!("{head}concepts_from: {{layout: {layout}, uri: cc}}\n");
    let manifest = manifest(&from("customconcept101"));
    assert_eq!(planned_in(&manifest, &world(&manifest)).runs.len(), 101);
    let refusal = parse(from("folders").as_bytes(), "m.yaml").expect_err("folders bring no prompts");
    assert!(
        refusal.to_string().contains("the manifest has no prompt sets"),
        "{refusal}"
    );
}

#[test]
fn a_data_set_that_does_not_fit_is_told() {
    let told = [
        spoiled(edit_list("[", "{")),
        spoiled(edit_list("class_prompt", "class")),
        spoiled(edit_list(
            "benchmark_dataset/things_3\"",
            "benchmark_dataset/../things_3\"",
        )),
        spoiled(edit_list(
            "benchmark_dataset/things_3\"",
            "benchmark_dataset/things_4\"",
        )),
        spoiled(edit_list("prompts/things.txt", "prompts/other.txt")),
        spoiled(edit_list("prompts/things.txt", "../things.txt")),
        spoiled(edit_list("\"bunny plushie\"", "\" \"")),
        spoiled(prompts_are("a dog\n")),
        spoiled(prompts_are("# nothing yet\n")),
    ];
    let first_lines = |told: &String| told.lines().take(4).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(told.iter().map(first_lines).collect::<Vec<_>>().join("\n\n"));
}
