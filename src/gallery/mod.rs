//! Pictures that lie in folders, by whatever tool made them: what each shows, from its path and the documents beside it.
//!
//! Pure: the caller lists files and reads documents.

mod custom_concept101;
mod dreambench_plus;
mod dreammatcher;
mod flat;
mod ours;

pub use custom_concept101::custom_concept101;
pub use dreambench_plus::dreambench_plus;
pub use dreammatcher::{PromptLists, dreammatcher};
pub use flat::flat;
pub use ours::ours;

/// The pictures that one method made of one concept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The method, as the folder or its documents call it; empty where there is no word for it.
    pub method: String,
    /// The concept; empty where the folder holds a single nameless one.
    pub concept: String,
    /// The class word, where the documents say it.
    pub class: Option<String>,
    /// Prompts in order.
    pub prompts: Vec<ShownPrompt>,
    /// Paths of the pictures of the bare class word, where the layout has any.
    pub prior: Vec<String>,
    /// Where its photos are.
    pub references: References,
}

/// Where the photos of a concept are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum References {
    /// In the folder of this name among the reference photos, or among them itself if there is no such folder.
    Folder(String),
    /// Among the pictures: these files, which are copies of a single photo.
    Copies(Vec<String>),
}

/// The pictures of one prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownPrompt {
    /// The prompt, with `{}` in the concept's place or with the concept in words.
    pub prompt: String,
    /// Paths below the folder, in order.
    pub images: Vec<String>,
}

/// A folder that is not in the layout it was said to have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// There is nothing to score.
    #[error("no pictures: {0}")]
    Empty(&'static str),
    /// A document is not what it should be.
    #[error("{document}, line {line}: {reason}")]
    Document {
        /// The document.
        document: &'static str,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A picture without a prompt.
    #[error("{picture} has no prompt in prompts.json")]
    NoPrompt {
        /// The picture's path.
        picture: String,
    },
    /// A picture without something that must lie beside it.
    #[error("{picture} has no {missing} of the same name")]
    Alone {
        /// The picture's path.
        picture: String,
        /// What is missing, and where.
        missing: &'static str,
    },
    /// A folder of no concept of the benchmark.
    #[error("`{concept}` is no concept of this benchmark, which has {known}")]
    UnknownConcept {
        /// The folder.
        concept: String,
        /// All there are.
        known: String,
    },
    /// Pictures and prompt list do not fit.
    #[error("{folder}: prompt {number} (from 0) {wrong}")]
    PromptNumber {
        /// The folder.
        folder: String,
        /// The prompt.
        number: usize,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// A prompt without its picture.
    #[error("prompts.json names {stem}, and there is no such picture in samples/")]
    NoPicture {
        /// The file name without ending.
        stem: String,
    },
}

/// A path without its ending.
fn stem(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(stem, _)| stem)
}

/// Whether a path names a picture.
fn is_picture(path: &str) -> bool {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
    ending.is_some_and(|ending| ["png", "jpg", "jpeg"].contains(&ending.as_str()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
