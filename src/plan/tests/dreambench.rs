//! DreamBench's folder as it is published.

use std::collections::{BTreeMap, BTreeSet};

use super::{images, manifest, planned_in, refused, with, world};
use crate::manifest::Manifest;
use crate::plan::Resolved;
use crate::spec::JobInputs;

const LIST: &str = "Classes\n\nsubject_name,class\nbear_plushie,stuffed animal\ndog2,dog\n\nPrompts\n\nObject Prompts\nx,y\n";

fn dreambench() -> (Manifest, Resolved) {
    let text = with(
        "concepts:\n",
        "concepts_from: {layout: dreambench, uri: dataset/}\nconcepts:\n",
    );
    let manifest = manifest(&text);
    let mut world = world(&manifest);
    let url = "file:///home/me/images/dataset";
    let folders = ["bear_plushie", "dog2"].map(|name| (name.to_owned(), images(name, 5)));
    world.concepts.insert(url.to_owned(), BTreeMap::from(folders));
    let list = format!("{url}/prompts_and_classes.txt");
    assert!(
        world.prompts.insert(list, LIST.to_owned()).is_some(),
        "nobody asked for the list"
    );
    (manifest, world)
}

#[test]
fn classes_and_kinds_are_those_of_the_list() {
    let (manifest, world) = dreambench();
    let plan = planned_in(&manifest, &world);
    let mut words = BTreeSet::new();
    for job in plan.jobs.values() {
        if let JobInputs::Sample(inputs) = &job.spec.inputs {
            let concept = &inputs.concept;
            let prompts = inputs.prompts.len();
            words.insert(format!(
                "{}: {}, {}, {prompts} prompts",
                concept.id, concept.class, concept.initializer
            ));
        }
    }
    let expected = [
        "bear_plushie: stuffed animal, animal, 2 prompts",
        "cat: cat, cat, 31 prompts",
        "dog2: dog, dog, 31 prompts",
        "duck: rubber duck, duck, 2 prompts",
    ];
    assert_eq!(words.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_list_that_does_not_fit_the_folders_is_told() {
    let (manifest, mut world) = dreambench();
    for text in world.prompts.values_mut() {
        *text = text.replace("dog2,dog", "dog3,dog");
    }
    insta::assert_snapshot!(refused(&manifest, &world).to_string());
}
