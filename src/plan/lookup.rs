//! From locations to what lies there, with every mistake traced back to the manifest.

use std::collections::{BTreeMap, BTreeSet};

use super::needs::{of_images, of_models};
use super::{Need, Resolved, ResolvedFile};
use crate::digest::Digest;
use crate::ids::{ConceptId, PromptSetId};
use crate::manifest::{
    Concept, ConceptKind, Errors, Finding, Kind, Manifest, Origin, Path, Problem, PromptSet, Prompts,
    Settings, Words, last_word, prompt_file,
};
use crate::spec::{ConceptInputs, EvaluatorInputs, ImageInput, ModelInputs, ModelSource, PromptSpec};

/// Looks things up and remembers what was wrong.
pub(super) struct Lookup<'a> {
    manifest: &'a Manifest,
    origin: &'a Origin,
    resolved: &'a Resolved,
    problems: Vec<Problem>,
    /// Bytes of everything found, by digest.
    sizes: BTreeMap<Digest, u64>,
}

/// A concept with its images and its kind.
pub(super) struct Found {
    pub inputs: ConceptInputs,
    pub kind: Option<ConceptKind>,
}

/// The models of some settings.
pub(super) struct Models {
    pub base: ModelInputs,
    pub base_source: ModelSource,
    pub evaluators: Option<(EvaluatorInputs, [ModelSource; 2])>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(manifest: &'a Manifest, origin: &'a Origin, resolved: &'a Resolved) -> Self {
        Self {
            manifest,
            origin,
            resolved,
            problems: Vec::new(),
            sizes: BTreeMap::new(),
        }
    }

    /// Bytes of everything found, or everything that was wrong.
    pub(super) fn finish(self) -> Result<u64, Errors> {
        match Errors::from_problems(self.problems) {
            Some(errors) => Err(errors),
            None => Ok(self.sizes.values().sum()),
        }
    }

    pub(super) fn report(&mut self, finding: Finding) {
        let problem = self.manifest.problem(finding);
        self.remember(problem);
    }

    fn remember(&mut self, problem: Problem) {
        // Every point of a matrix finds the same.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// All concepts of some settings, listed or found in folders.
    pub(super) fn concepts(&mut self, settings: &Settings) -> Vec<Found> {
        let mut concepts = Vec::new();
        for (id, concept) in &settings.concepts {
            let path = Path::of(&["concepts", id.as_str(), "images"]);
            let files = self.images(concept, &path);
            concepts.extend(self.concept(id, &concept.words, &files, &path));
        }
        concepts.extend(self.folders(settings));
        self.refuse_twins(&concepts, settings);
        concepts
    }

    fn images(&mut self, concept: &Concept, path: &Path) -> Vec<ResolvedFile> {
        let mut files = Vec::new();
        for need in of_images(&concept.images, self.origin) {
            match self.resolved.images.get(need.url()) {
                Some(found) => files.extend(found.iter().cloned()),
                None => self.unresolved(need.url(), path),
            }
        }
        files
    }

    fn unresolved(&mut self, url: &str, path: &Path) {
        self.report(Finding::new(
            path,
            Kind::BadInput,
            format!("{url} was not looked at"),
        ));
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
        let mut concepts = Vec::new();
        for (name, files) in folders {
            let Some(id) = self.folder_id(name, settings, &path) else {
                continue;
            };
            let class = from.class.clone().unwrap_or_else(|| in_words(name));
            let initializer = from.initializer.clone().unwrap_or_else(|| last_word(&class));
            let words = Words {
                class,
                initializer,
                placeholder: from.placeholder.clone(),
                kind: from.kind,
            };
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

    /// The prompts for a kind of concept: of all sets that apply, in the order of their ids, each once.
    pub(super) fn prompts(&mut self, settings: &Settings, kind: Option<ConceptKind>) -> Vec<PromptSpec> {
        let mut prompts: Vec<PromptSpec> = Vec::new();
        for (id, set) in settings
            .prompt_sets
            .iter()
            .filter(|(_, set)| set.kind.is_none() || set.kind == kind)
        {
            for prompt in self.prompt_set(id, set) {
                if !prompts.contains(&prompt) {
                    prompts.push(prompt);
                }
            }
        }
        prompts
    }

    fn prompt_set(&mut self, id: &PromptSetId, set: &PromptSet) -> Vec<PromptSpec> {
        let file = match &set.prompts {
            Prompts::Listed(prompts) => return prompts.clone(),
            Prompts::File(file) => file,
        };
        let path = Path::of(&["prompt_sets", id.as_str(), "file"]);
        let url = self.origin.url(file);
        let Some(text) = self.resolved.prompts.get(&url) else {
            self.unresolved(&url, &path);
            return Vec::new();
        };
        let (prompts, problems) = prompt_file(text, file, &path);
        if prompts.is_empty() && problems.is_empty() {
            self.report(Finding::new(
                &path,
                Kind::BadInput,
                format!("{url} has no prompts"),
            ));
        }
        problems.into_iter().for_each(|problem| self.remember(problem));
        prompts
    }

    /// The models, if all of them were found.
    pub(super) fn models(&mut self, settings: &Settings) -> Option<Models> {
        let needs = of_models(settings, self.origin);
        let (base, base_source) =
            self.model(&needs.base, settings.base.variant.as_ref(), &["base", "model"])?;
        let evaluators = match needs.evaluators {
            None => None,
            Some((clip, dino)) => {
                let (clip, clip_source) = self.model(&clip, None, &["metrics", "clip"])?;
                let (dino, dino_source) = self.model(&dino, None, &["metrics", "dino"])?;
                Some((EvaluatorInputs { clip, dino }, [clip_source, dino_source]))
            }
        };
        Some(Models {
            base,
            base_source,
            evaluators,
        })
    }

    fn model(
        &mut self,
        need: &Need,
        variant: Option<&String>,
        keys: &[&str],
    ) -> Option<(ModelInputs, ModelSource)> {
        let path = Path::of(keys);
        let Some(source) = self.resolved.models.get(need) else {
            self.unresolved(need.url(), &path);
            return None;
        };
        if source.files.is_empty() {
            self.report(Finding::new(
                &path,
                Kind::BadInput,
                format!("{} has no files of a model", source.url),
            ));
            return None;
        }
        self.sizes
            .extend(source.files.iter().map(|file| (file.digest, file.size)));
        let identity = source
            .identity()
            .expect("a map of text and digests has a JSON form");
        Some((
            ModelInputs {
                identity,
                variant: variant.cloned(),
            },
            source.clone(),
        ))
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
