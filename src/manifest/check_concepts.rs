//! Concepts: their words, their images, and whether any prompt is for them.

use std::collections::BTreeMap;

use super::check::{by_id, check_location};
use super::error::Kind;
use super::finding::Finding;
use super::location;
use super::path::Path;
use super::raw::{OneOrMany, RawConcept, RawManifest};
use super::settings::{Concept, ConceptKind, ConceptsFrom, FolderLayout, Images, PromptSet, Words};
use crate::ids::{ConceptId, PromptSetId};

/// Concepts that the manifest lists.
pub(crate) fn concepts(raw: &RawManifest, found: &mut Vec<Finding>) -> BTreeMap<ConceptId, Concept> {
    if raw.concepts.is_empty() && raw.concepts_from.is_none() {
        let help = "list them by id under `concepts`, or name a folder of folders: `concepts_from: {layout: folders, uri: …}`";
        let finding = Finding::new(
            &Path::of(&["concepts"]),
            Kind::MissingKey,
            "the manifest has no concepts",
        );
        found.push(finding.at_key().help(help));
    }
    if !raw.storage.inputs.is_empty() {
        check_location(&raw.storage.inputs, &Path::of(&["storage", "inputs"]), found);
    }
    check_word(
        Some(&raw.concept_defaults.placeholder),
        &Path::of(&["concept_defaults", "placeholder"]),
        found,
    );
    check_word(
        raw.concept_defaults.init.as_ref(),
        &Path::of(&["concept_defaults", "init"]),
        found,
    );
    let concepts = by_id(&raw.concepts, "concepts", found, |concept, path, found| {
        Some(Concept {
            images: images(concept, path, raw, found)?,
            words: words(concept, path, raw, found)?,
        })
    });
    same_images_twice(&concepts, found);
    concepts
}

fn images(concept: &RawConcept, path: &Path, raw: &RawManifest, found: &mut Vec<Finding>) -> Option<Images> {
    let path = path.key("images");
    let inputs = &raw.storage.inputs;
    let OneOrMany(written) = &concept.images;
    if let Some(one) = written.as_str() {
        check_location(one, &path, found);
        let whole = location::join(inputs, one);
        return Some(if location::is_image_file(one) {
            Images::Files(vec![whole])
        } else {
            Images::Folder(whole)
        });
    }
    let mut files = Vec::new();
    for (i, item) in written
        .as_array()?
        .iter()
        .filter_map(|item| item.as_str())
        .enumerate()
    {
        check_location(item, &path.index(i), found);
        if !location::is_image_file(item) {
            let help = "list .jpg, .jpeg and .png files, or name one folder";
            found.push(
                Finding::new(
                    &path.index(i),
                    Kind::BadValue,
                    format!("`{item}` names no image file"),
                )
                .help(help),
            );
        }
        files.push(location::join(inputs, item));
    }
    Some(Images::Files(files))
}

fn words(concept: &RawConcept, path: &Path, raw: &RawManifest, found: &mut Vec<Finding>) -> Option<Words> {
    check_word(concept.init.as_ref(), &path.key("init"), found);
    check_word(concept.placeholder.as_ref(), &path.key("placeholder"), found);
    let defaults = &raw.concept_defaults;
    let Some(class) = concept.class.clone().or_else(|| defaults.class.clone()) else {
        let help = "say what it is in plain words, `class: teddy bear`";
        let finding = Finding::new(
            &path.key("class"),
            Kind::MissingKey,
            format!("{path} has no `class`"),
        );
        found.push(finding.at_key().help(help));
        return None;
    };
    if class.trim().is_empty() {
        found.push(Finding::new(
            &path.key("class"),
            Kind::BadValue,
            "the class is empty",
        ));
        return None;
    }
    Some(Words {
        initializer: concept
            .init
            .clone()
            .or_else(|| defaults.init.clone())
            .unwrap_or_else(|| last_word(&class)),
        class: class.trim().to_owned(),
        placeholder: concept
            .placeholder
            .clone()
            .unwrap_or_else(|| defaults.placeholder.clone()),
        kind: concept.kind.or(defaults.kind),
    })
}

/// The initializer of a class without one: `bear` of `teddy bear`.
pub(crate) fn last_word(class: &str) -> String {
    class
        .split_whitespace()
        .next_back()
        .unwrap_or_default()
        .to_owned()
}

fn check_word(word: Option<&String>, path: &Path, found: &mut Vec<Finding>) {
    let Some(word) = word else { return };
    if word.is_empty() || word.chars().any(char::is_whitespace) {
        let message = format!("`{word}` is not a single word");
        found.push(Finding::new(path, Kind::BadValue, message));
    }
}

fn same_images_twice(concepts: &BTreeMap<ConceptId, Concept>, found: &mut Vec<Finding>) {
    let mut seen: BTreeMap<Vec<&str>, &ConceptId> = BTreeMap::new();
    for (id, concept) in concepts {
        let locations = match &concept.images {
            Images::Folder(folder) => vec![folder.trim_end_matches('/')],
            Images::Files(files) => files.iter().map(String::as_str).collect(),
        };
        if let Some(other) = seen.insert(locations, id) {
            let path = Path::of(&["concepts", id.as_str(), "images"]);
            found.push(Finding::new(
                &path,
                Kind::BadValue,
                format!("the concepts {other} and {id} have the same images"),
            ));
        }
    }
}

/// Concepts that come from folders.
pub(crate) fn concepts_from(raw: &RawManifest, found: &mut Vec<Finding>) -> Option<ConceptsFrom> {
    let from = raw.concepts_from.as_ref()?;
    let path = Path::of(&["concepts_from"]);
    check_location(&from.uri, &path.key("uri"), found);
    check_word(from.init.as_ref(), &path.key("init"), found);
    for (word, init) in &from.inits {
        check_word(Some(init), &path.key("inits").key(word), found);
    }
    let defaults = &raw.concept_defaults;
    Some(ConceptsFrom {
        layout: from.layout,
        uri: location::join(&raw.storage.inputs, &from.uri),
        class: from.class.clone().or_else(|| defaults.class.clone()),
        initializer: from.init.clone().or_else(|| defaults.init.clone()),
        initializers: from.inits.clone(),
        placeholder: defaults.placeholder.clone(),
        kind: from.kind.or(defaults.kind),
    })
}

/// Without prompt sets, every concept must bring prompts of its own.
pub(crate) fn prompt_sets_are_not_needed(
    concepts: &BTreeMap<ConceptId, Concept>,
    from: Option<&ConceptsFrom>,
    found: &mut Vec<Finding>,
) {
    let bring_none = from.is_some_and(|from| from.prompt_folder().is_none());
    if bring_none || !concepts.is_empty() {
        let path = Path::of(&["prompt_sets"]);
        let finding = Finding::new(&path, Kind::MissingKey, "the manifest has no prompt sets");
        let help = "list prompts under `prompt_sets`, or take built-in ones: `p: {builtin: vico/object}`";
        found.push(finding.at_key().help(help));
    }
}

/// A concept that no prompt is for would never be drawn.
pub(crate) fn every_concept_has_prompts(
    concepts: &BTreeMap<ConceptId, Concept>,
    from: Option<&ConceptsFrom>,
    sets: &BTreeMap<PromptSetId, PromptSet>,
    found: &mut Vec<Finding>,
) {
    let from = from.filter(|from| from.prompt_folder().is_none());
    let mut check = |kind: Option<ConceptKind>, path: &Path, what: &str| {
        if sets.is_empty() || sets.values().any(|set| set.kind.is_none() || set.kind == kind) {
            return;
        }
        let (why, help) = match kind {
            None => (
                "no `kind`",
                "say `kind: object` or `kind: live`, or remove `for` from a prompt set",
            ),
            Some(ConceptKind::Object) => ("the kind `object`", "add a prompt set for this kind"),
            Some(ConceptKind::Live) => ("the kind `live`", "add a prompt set for this kind"),
        };
        let message = format!("no prompt set is for {what}, which has {why}");
        found.push(Finding::new(path, Kind::BadValue, message).at_key().help(help));
    };
    for (id, concept) in concepts {
        check(
            concept.words.kind,
            &Path::of(&["concepts", id.as_str()]),
            &format!("the concept {id}"),
        );
    }
    if let Some(from) = from {
        let kinds = match (from.kind, from.layout) {
            (None, FolderLayout::Dreambench) => vec![Some(ConceptKind::Object), Some(ConceptKind::Live)],
            (kind, _) => vec![kind],
        };
        for kind in kinds {
            check(kind, &Path::of(&["concepts_from"]), "some of these concepts");
        }
    }
}

/// Writes into each concept what it takes from the defaults, unless those vary.
pub(crate) fn write_out_defaults(raw: &mut RawManifest) {
    if raw.matrix.keys().any(|axis| axis.starts_with("concept")) {
        return;
    }
    let defaults = &raw.concept_defaults;
    for concept in raw.concepts.values_mut() {
        concept.class = concept.class.take().or_else(|| defaults.class.clone());
        let init = concept.init.take().or_else(|| defaults.init.clone());
        concept.init = init.or_else(|| concept.class.as_deref().map(last_word));
        concept.kind = concept.kind.or(defaults.kind);
        concept
            .placeholder
            .get_or_insert_with(|| defaults.placeholder.clone());
    }
}
