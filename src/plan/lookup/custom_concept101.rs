//! CustomConcept101's `dataset.json`: which folder is of which class, and where its prompts are.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Listed, Lookup};
use crate::manifest::{ConceptsFrom, Finding, Kind, Path};
use crate::plan::ResolvedFile;
use crate::spec::PromptSpec;

/// What is read of a concept. `instance_prompt` is how the original captions its photos, and `class_data_dir` where it keeps
/// its regularisation images.
#[derive(Deserialize)]
struct Entry {
    class_prompt: String,
    instance_data_dir: String,
    prompt_filename: String,
}

impl Lookup<'_> {
    /// What the list says, by folder. `None` after telling what is wrong.
    pub(super) fn custom_concept101(
        &mut self,
        from: &ConceptsFrom,
        (url, text): (&str, &str),
        folders: &BTreeMap<String, Vec<ResolvedFile>>,
    ) -> Option<BTreeMap<String, Listed>> {
        let entries: Vec<Entry> = match serde_json::from_str(text) {
            Ok(entries) => entries,
            Err(error) => {
                self.refuse(&format!("{url} is not CustomConcept101's list: {error}"));
                return None;
            }
        };
        let mut listed = BTreeMap::new();
        let count = entries.len();
        for entry in entries {
            if let Some((folder, concept)) = self.entry(from, &entry, folders)
                && listed.insert(folder.clone(), concept).is_some()
            {
                self.refuse(&format!("{url} has the folder `{folder}` twice"));
            }
        }
        (listed.len() == count).then_some(listed)
    }

    fn entry(
        &mut self,
        from: &ConceptsFrom,
        entry: &Entry,
        folders: &BTreeMap<String, Vec<ResolvedFile>>,
    ) -> Option<(String, Listed)> {
        let dir = entry
            .instance_data_dir
            .trim_start_matches("./")
            .trim_end_matches('/');
        let folder = dir
            .strip_prefix("benchmark_dataset/")
            .filter(|folder| folders.contains_key(*folder));
        let Some(folder) = folder else {
            self.refuse(&format!(
                "dataset.json names the photos `{dir}`, and there is no such folder with images"
            ));
            return None;
        };
        let prompts = self.own_prompts(from, entry.prompt_filename.trim_start_matches("./"))?;
        let class = entry.class_prompt.trim().to_owned();
        if class.is_empty() {
            self.refuse(&format!("dataset.json has no class for `{folder}`"));
            return None;
        }
        Some((
            folder.to_owned(),
            Listed {
                class,
                kind: None,
                prompts: Some(prompts),
            },
        ))
    }

    fn own_prompts(&mut self, from: &ConceptsFrom, name: &str) -> Option<Vec<PromptSpec>> {
        let path = Path::of(&["concepts_from", "uri"]);
        let url = self.origin.url(&from.prompt_folder()?);
        let Some(texts) = self.resolved.prompt_folders.get(&url) else {
            self.unresolved(&url, &path);
            return None;
        };
        let text = name.strip_prefix("prompts/").and_then(|name| texts.get(name));
        let Some(text) = text else {
            self.refuse(&format!(
                "dataset.json names the prompts `{name}`, and there is no such file"
            ));
            return None;
        };
        let prompts = self.prompts_in(text, name, &path);
        if prompts.is_empty() {
            self.refuse(&format!("{name} has no prompts"));
            return None;
        }
        Some(prompts)
    }

    fn refuse(&mut self, message: &str) {
        let path = Path::of(&["concepts_from", "uri"]);
        let help = "the folder is to hold CustomConcept101's dataset.json and prompts/, and the unpacked benchmark_dataset/";
        self.report(Finding::new(&path, Kind::BadInput, message).help(help));
    }
}
