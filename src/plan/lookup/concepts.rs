//! Concepts and their reference images.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, Lookup, dreambench};
use crate::digest::Digest;
use crate::ids::ConceptId;
use crate::manifest::{Concept, ConceptsFrom, Finding, Kind, Path, Settings, Words, last_word};
use crate::plan::ResolvedFile;
use crate::plan::needs::of_images;
use crate::spec::{ConceptInputs, ImageInput};

impl Lookup<'_> {
    /// All concepts of some settings, listed or found in folders.
    pub(in crate::plan) fn concepts(&mut self, settings: &Settings) -> Vec<Found> {
        let mut concepts = Vec::new();
        for (id, concept) in &settings.concepts {
            let path = Path::of(&["concepts", id.as_str(), "images"]);
            if let Some(files) = self.images(concept, &path) {
                concepts.extend(self.concept(id, &concept.words, &files, &path));
            }
        }
        concepts.extend(self.folders(settings));
        self.refuse_twins(&concepts, settings);
        concepts
    }

    fn images(&mut self, concept: &Concept, path: &Path) -> Option<Vec<ResolvedFile>> {
        let mut files = Vec::new();
        for need in of_images(&concept.images, self.origin) {
            let Some(found) = self.resolved.images.get(need.url()) else {
                self.unresolved(need.url(), path);
                return None;
            };
            files.extend(found.iter().cloned());
        }
        Some(files)
    }

    fn concept(
        &mut self,
        id: &ConceptId,
        words: &Words,
        files: &[ResolvedFile],
        path: &Path,
    ) -> Option<Found> {
        if files.is_empty() {
            let help = "a concept needs at least one .jpg or .png file";
            self.report(
                Finding::new(path, Kind::BadInput, format!("the concept {id} has no images")).help(help),
            );
            return None;
        }
        self.sizes
            .extend(files.iter().map(|file| (file.digest, file.size)));
        let mut images: Vec<ImageInput> = files
            .iter()
            .map(|file| ImageInput {
                name: file.name.clone(),
                digest: file.digest,
            })
            .collect();
        images.sort_by(|a, b| (&a.name, a.digest).cmp(&(&b.name, b.digest)));
        let inputs = ConceptInputs {
            id: id.clone(),
            images,
            class: words.class.clone(),
            initializer: words.initializer.clone(),
            placeholder: words.placeholder.clone(),
        };
        Some(Found {
            inputs,
            kind: words.kind,
        })
    }

    fn folders(&mut self, settings: &Settings) -> Vec<Found> {
        let Some(from) = &settings.concepts_from else {
            return Vec::new();
        };
        let path = Path::of(&["concepts_from", "uri"]);
        let url = self.origin.url(&from.uri);
        let Some(folders) = self.resolved.concepts.get(&url) else {
            self.unresolved(&url, &path);
            return Vec::new();
        };
        if folders.is_empty() {
            let help = "put each concept's photos into a folder of its own";
            self.report(
                Finding::new(&path, Kind::BadInput, format!("{url} has no folders with images")).help(help),
            );
        }
        let Some(listed) = self.class_list(from, folders) else {
            return Vec::new();
        };
        let mut concepts = Vec::new();
        for (name, files) in folders {
            let Some(id) = self.folder_id(name, settings, &path) else {
                continue;
            };
            let words = words(from, name, listed.get(name).map(String::as_str));
            concepts.extend(self.concept(&id, &words, files, &path));
        }
        concepts
    }

    fn folder_id(&mut self, name: &str, settings: &Settings, path: &Path) -> Option<ConceptId> {
        let problem = match name.parse::<ConceptId>() {
            Ok(id) if settings.concepts.contains_key(&id) => {
                format!("the folder `{name}` has the name of a listed concept")
            }
            Ok(id) => return Some(id),
            Err(error) => format!("a folder cannot be a concept: {error}"),
        };
        self.report(Finding::new(path, Kind::BadInput, problem).help("rename the folder"));
        None
    }

    /// The same photos under two names would count twice in every mean.
    fn refuse_twins(&mut self, concepts: &[Found], settings: &Settings) {
        let mut seen: BTreeMap<BTreeSet<Digest>, &ConceptId> = BTreeMap::new();
        for Found { inputs, .. } in concepts {
            let digests = inputs.images.iter().map(|image| image.digest).collect();
            if let Some(other) = seen.insert(digests, &inputs.id) {
                let id = &inputs.id;
                let listed = settings.concepts.contains_key(id);
                let path = if listed {
                    Path::of(&["concepts", id.as_str(), "images"])
                } else {
                    Path::of(&["concepts_from", "uri"])
                };
                let message = format!("the concepts {other} and {id} have the same images");
                self.report(Finding::new(&path, Kind::BadInput, message).help("remove one of them"));
            }
        }
    }
}

/// The words for a folder: what the manifest says, else what the data set's list says, else the folder's name.
fn words(from: &ConceptsFrom, folder: &str, listed: Option<&str>) -> Words {
    let class = from.class.clone().or_else(|| listed.map(str::to_owned));
    let class = class.unwrap_or_else(|| in_words(folder));
    Words {
        initializer: from.initializer.clone().unwrap_or_else(|| last_word(&class)),
        class,
        placeholder: from.placeholder.clone(),
        kind: from.kind.or_else(|| listed.map(dreambench::kind_of)),
    }
}

/// A folder's name as a class: `brown_dog2` is a `brown dog`.
fn in_words(name: &str) -> String {
    let words = name
        .split(['_', '-', '.'])
        .map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        "thing".to_owned()
    } else {
        words.join(" ")
    }
}
