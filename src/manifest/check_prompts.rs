//! Prompt sets: from what is written to prompts, with every mistake in those that stand in the manifest. Also the text that
//! guidance leads away from.

use std::collections::BTreeMap;

use super::check::check_location;
use super::error::Kind;
use super::finding::Finding;
use super::path::Path;
use super::raw::RawPromptSet;
use super::settings::{PromptSet, Prompts};
use super::{builtin_prompts, prompts};
use crate::spec::PromptSpec;

/// The prompts of a set, wherever they are. `None` where the set does not say that once.
pub(crate) fn prompt_set(raw: &RawPromptSet, path: &Path, found: &mut Vec<Finding>) -> Option<PromptSet> {
    let kind = raw.applies_to.as_ref().map(|applies| applies.kind);
    let prompts = match (&raw.builtin, &raw.file, &raw.prompts) {
        (Some(name), None, None) => Prompts::Listed(builtin_prompts::find(name)?),
        (None, Some(file), None) => {
            check_location(file, &path.key("file"), found);
            Prompts::File(file.clone())
        }
        (None, None, Some(prompts)) => Prompts::Listed(listed(prompts, &path.key("prompts"), found)),
        _ => {
            let message = format!("{path} needs exactly one of `builtin`, `file` and `prompts`");
            found.push(Finding::new(path, Kind::BadValue, message).at_key());
            return None;
        }
    };
    Some(PromptSet { prompts, kind })
}

fn listed(texts: &[String], path: &Path, found: &mut Vec<Finding>) -> Vec<PromptSpec> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (i, text) in texts.iter().enumerate() {
        if let Err(unusable) = prompts::check(text) {
            found.push(Finding::new(&path.index(i), Kind::BadPrompt, unusable.message).help(unusable.help));
        }
        if let Some(first) = seen.insert(text.trim(), i) {
            let finding = Finding::new(
                &path.index(i),
                Kind::BadPrompt,
                "the same prompt stands twice in this list",
            );
            found.push(finding.note(format!("the same as number {}", first + 1)));
        }
    }
    texts
        .iter()
        .map(|text| PromptSpec(text.trim().to_owned()))
        .collect()
}

/// The text encoder takes no more of it than of a prompt.
pub(crate) fn negative_prompt(text: &str, found: &mut Vec<Finding>) {
    if let Err(unusable) = prompts::check_length("the negative prompt", text) {
        let path = Path::of(&["sampling", "negative_prompt"]);
        found.push(Finding::new(&path, Kind::BadPrompt, unusable.message).help(unusable.help));
    }
}
