//! Concepts and their reference images.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Found, Listed, Lookup};
use crate::digest::Digest;
use crate::ids::ConceptId;
use crate::manifest::{Concept, ConceptsFrom, Finding, FolderLayout, Kind, Path, Settings, Words, last_word};
use crate::plan::ResolvedFile;
use crate::plan::needs::of_images;
use crate::spec::{ConceptInputs, ImageInput};

/// Images by the name of their folder.
type Folders = BTreeMap<String, Vec<ResolvedFile>>;

/// What is known of the folders that concepts come from.
enum Catalogue {
    /// Every folder is a concept.
    Folders,
    /// The data set's own list says, by folder, what is in it.
    List(BTreeMap<String, Listed>),
}

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
            inputs: Arc::new(inputs),
            kind: words.kind,
            prompts: None,
        })
    }

    fn folders(&mut self, settings: &Settings) -> Vec<Found> {
        let Some(from) = &settings.concepts_from else {
            return Vec::new();
        };
        let path = Path::of(&["concepts_from", "uri"]);
        let url = self.origin.url(&from.photos());
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
        let Some(mut catalogue) = self.catalogue(from, folders) else {
            return Vec::new();
        };
        let mut concepts = Vec::new();
        for (name, files) in folders {
            let entry = match &mut catalogue {
                Catalogue::Folders => None,
                Catalogue::List(entries) => match entries.remove(name) {
                    None => continue,
                    entry => entry,
                },
            };
            let Some(id) = self.folder_id(name, settings, &path) else {
                continue;
            };
            let words = words(from, name, entry.as_ref());
            let found = self.concept(&id, &words, files, &path);
            concepts.extend(found.map(|found| Found {
                prompts: entry.and_then(|entry| entry.prompts).map(Arc::from),
                ..found
            }));
        }
        concepts
    }

    /// What is known of the folders. `None` after telling what is wrong.
    fn catalogue(&mut self, from: &ConceptsFrom, folders: &Folders) -> Option<Catalogue> {
        let Some(list) = from.class_list() else {
            return Some(Catalogue::Folders);
        };
        let url = self.origin.url(&list);
        let Some(text) = self.resolved.prompts.get(&url) else {
            self.unresolved(&url, &Path::of(&["concepts_from", "uri"]));
            return None;
        };
        let list = (url.as_str(), text.as_str());
        match from.layout {
            FolderLayout::Folders => Some(Catalogue::Folders),
            FolderLayout::Dreambench => self.dreambench(list, folders).map(Catalogue::List),
            FolderLayout::CustomConcept101 => {
                self.custom_concept101(from, list, folders).map(Catalogue::List)
            }
        }
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
fn words(from: &ConceptsFrom, folder: &str, listed: Option<&Listed>) -> Words {
    let class = from
        .class
        .clone()
        .or_else(|| listed.map(|listed| listed.class.clone()));
    let class = class.unwrap_or_else(|| in_words(folder));
    Words {
        initializer: from
            .initializer
            .clone()
            .unwrap_or_else(|| initializer(from, &class)),
        class,
        placeholder: from.placeholder.clone(),
        kind: from.kind.or_else(|| listed.and_then(|listed| listed.kind)),
    }
}

/// The last word of a class, or what the manifest has for it.
fn initializer(from: &ConceptsFrom, class: &str) -> String {
    let word = last_word(class);
    from.initializers.get(&word).cloned().unwrap_or(word)
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
