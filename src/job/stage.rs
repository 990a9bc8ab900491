//! What kind of work a job is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A step of a run. The order is the order of dependence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Draw pictures of a class word with the base model, for a prior loss.
    ClassImages,
    /// Teach a method one concept; makes an adapter.
    Train,
    /// Draw the evaluation images with an adapter.
    Sample,
    /// Measure the images against references and prompts.
    Score,
}

impl Stage {
    /// All stages, in the order of dependence.
    pub const ALL: [Self; 4] = [Self::ClassImages, Self::Train, Self::Sample, Self::Score];

    /// The word used in files, messages and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClassImages => "class_images",
            Self::Train => "train",
            Self::Sample => "sample",
            Self::Score => "score",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no stage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a stage: it is one of class_images, train, sample, score")]
pub struct UnknownStage(pub String);

impl std::str::FromStr for Stage {
    type Err = UnknownStage;
    fn from_str(word: &str) -> Result<Self, UnknownStage> {
        let found = Self::ALL.into_iter().find(|stage| stage.as_str() == word);
        found.ok_or_else(|| UnknownStage(word.to_owned()))
    }
}
