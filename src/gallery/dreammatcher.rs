//! DreamMatcher's result folder, which is how ViCo's own benchmark is measured:
//! `<concept>/output/<baseline|ours>/prompt_<i>/[samples/]<picture>` (official `evaluate.py`).

use std::collections::BTreeMap;

use super::{Error, References, Shown, ShownPrompt, is_picture};

/// The two prompt lists of the benchmark.
#[derive(Clone, Copy, Debug)]
pub struct PromptLists<'a> {
    /// For animals.
    pub live: &'a [String],
    /// For things.
    pub object: &'a [String],
}

/// Name of the result folder, folder of the photos in `inputs/`, class word as in `manifests/vico-paper.yaml` (DreamMatcher
/// has none), and whether it lives.
const CONCEPTS: [(&str, &str, &str, bool); 16] = [
    ("alarm_clock", "clock", "clock", false),
    ("black_cat", "black_cat", "cat", true),
    ("brown_cat", "brown_cat", "cat", true),
    ("brown_dog", "brown_dog", "dog", true),
    ("brown_dog2", "brown_dog2", "dog", true),
    ("brown_teddybear", "teddybear", "teddy bear", false),
    ("cat_statue", "cat-toy", "toy", false),
    ("duck_toy", "duck_toy", "toy", false),
    ("elephant_statue", "elephant_statue", "statue", false),
    ("fat_dog", "fat_dog", "dog", true),
    ("monster_toy", "monster_toy", "toy", false),
    ("pink_sunglasses", "pink_sunglasses", "sunglasses", false),
    ("red_teapot", "red_teapot", "teapot", false),
    ("red_vase", "vase", "vase", false),
    ("tortoise_plushy", "tortoise_plushy", "plushy", false),
    ("wooden_barn", "barn", "barn", false),
];

/// One entry per concept and target. The photos of a concept lie in the folder that DreamMatcher's `inputs/` has for it.
///
/// # Errors
/// A folder is of no concept of the benchmark, a prompt of its list has no pictures or its number is not in the list, or
/// there is nothing.
pub fn dreammatcher(paths: &[String], lists: PromptLists<'_>) -> Result<Vec<Shown>, Error> {
    let mut folders: BTreeMap<(&str, &str), BTreeMap<usize, Vec<&Place>>> = BTreeMap::new();
    let places: Vec<Place> = paths.iter().filter_map(|path| Place::of(path)).collect();
    for place in &places {
        let prompts = folders.entry((place.target, place.concept)).or_default();
        prompts.entry(place.prompt).or_default().push(place);
    }
    if folders.is_empty() {
        let what = "there is no <concept>/output/<baseline|ours>/prompt_<i>/ with .png, .jpg or .jpeg";
        return Err(Error::Empty(what));
    }
    folders
        .into_iter()
        .map(|((target, concept), prompts)| shown((target, concept), &prompts, lists))
        .collect()
}

/// What a picture's path says.
struct Place<'a> {
    path: &'a str,
    concept: &'a str,
    target: &'a str,
    prompt: usize,
    /// Whether it lies in `samples/`, beside which nothing else counts.
    is_sample: bool,
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        let (concept, target, prompt, is_sample) = match parts[..] {
            [concept, "output", target, prompt, _] => (concept, target, prompt, false),
            [concept, "output", target, prompt, "samples", _] => (concept, target, prompt, true),
            _ => return None,
        };
        let prompt = prompt.strip_prefix("prompt_")?.parse().ok()?;
        is_picture(path).then_some(Self {
            path,
            concept,
            target,
            prompt,
            is_sample,
        })
    }
}

fn shown(
    (target, concept): (&str, &str),
    found: &BTreeMap<usize, Vec<&Place>>,
    lists: PromptLists<'_>,
) -> Result<Shown, Error> {
    let known = CONCEPTS.into_iter().find(|(name, ..)| *name == concept);
    let (_, photos, class, is_live) = known.ok_or_else(|| Error::UnknownConcept {
        concept: concept.to_owned(),
        known: CONCEPTS.map(|(name, ..)| name).join(", "),
    })?;
    let list = if is_live { lists.live } else { lists.object };
    let folder = format!("{concept}/output/{target}");
    let wrong = |number: usize, wrong| Error::PromptNumber {
        folder: folder.clone(),
        number,
        wrong,
    };
    if let Some(number) = found.keys().find(|number| **number >= list.len()) {
        return Err(wrong(*number, "is not in the prompt list"));
    }
    let mut prompts = Vec::with_capacity(list.len());
    for (number, prompt) in list.iter().enumerate() {
        let places = found
            .get(&number)
            .ok_or_else(|| wrong(number, "has no pictures"))?;
        prompts.push(ShownPrompt {
            prompt: prompt.clone(),
            images: pictures(places),
        });
    }
    Ok(Shown {
        method: target.to_owned(),
        concept: concept.to_owned(),
        class: Some(class.to_owned()),
        prompts,
        prior: Vec::new(),
        references: References::Folder(photos.to_owned()),
    })
}

fn pictures(places: &[&Place]) -> Vec<String> {
    let sampled = places.iter().any(|place| place.is_sample);
    let counted = places.iter().filter(|place| place.is_sample == sampled);
    let mut pictures: Vec<String> = counted.map(|place| place.path.to_owned()).collect();
    pictures.sort();
    pictures
}
