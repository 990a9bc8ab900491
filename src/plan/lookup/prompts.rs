//! The prompts for a concept.

use super::Lookup;
use crate::ids::PromptSetId;
use crate::manifest::{ConceptKind, Finding, Kind, Path, PromptSet, Prompts, Settings, prompt_file};
use crate::spec::PromptSpec;

impl Lookup<'_> {
    /// The prompts for a kind of concept: of all sets that apply, in the order of their ids, each once.
    pub(in crate::plan) fn prompts(
        &mut self,
        settings: &Settings,
        kind: Option<ConceptKind>,
    ) -> Vec<PromptSpec> {
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
        let prompts = self.prompts_in(text, file, &path);
        if prompts.is_empty() {
            self.report(Finding::new(
                &path,
                Kind::BadInput,
                format!("{url} has no prompts"),
            ));
        }
        prompts
    }

    /// The prompts of a text, good or bad; what is wrong with them is told. `path` is the key that named the file.
    pub(super) fn prompts_in(&mut self, text: &str, file: &str, path: &Path) -> Vec<PromptSpec> {
        let (prompts, problems) = prompt_file(text, file, path);
        for problem in problems {
            self.remember(problem);
        }
        prompts
    }
}
