//! Prompts in a text file, with every mistake at its line there.

use super::error::{Kind, Problem};
use super::path::Path;
use super::prompts;
use super::source::{Source, Stretch};
use crate::spec::PromptSpec;

/// The prompts of a file, and what is wrong with it. `path` is the key that named the file.
pub(crate) fn prompt_file(text: &str, file: &str, path: &Path) -> (Vec<PromptSpec>, Vec<Problem>) {
    let source = Source::new(file, text);
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for (line, prompt) in prompts::lines(text) {
        found.push(PromptSpec(prompt.to_owned()));
        if let Err(unusable) = prompts::check(prompt) {
            problems.push(Problem {
                kind: Kind::BadPrompt,
                path: path.to_string(),
                message: unusable.message,
                note: None,
                help: Some(unusable.help),
                place: Some(source.place(Stretch {
                    line,
                    column: 1,
                    width: None,
                })),
            });
        }
    }
    (found, problems)
}
