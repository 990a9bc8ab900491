//! What is wrong with a manifest: every problem with its place, in words that say what to do.

use serde::Serialize;

/// What kind of mistake it is; a stable word that scripts may match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Too many bytes, levels or aliases to be a manifest.
    TooLarge,
    /// Not YAML, or YAML beyond what manifests may use.
    Syntax,
    /// A key that stands twice in one map.
    DuplicateKey,
    /// A key that means nothing here.
    UnknownKey,
    /// A key that must be there.
    MissingKey,
    /// A map where text belongs, and the like.
    WrongType,
    /// The right type, but a value that cannot work.
    BadValue,
    /// A prompt that cannot be used.
    BadPrompt,
    /// An axis of the matrix that names nothing or cannot vary.
    BadAxis,
    /// Something outside the manifest that does not fit: images, prompt files, models.
    BadInput,
}

impl Kind {
    /// The word in `error[…]`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Syntax => "syntax",
            Self::DuplicateKey => "duplicate-key",
            Self::UnknownKey => "unknown-key",
            Self::MissingKey => "missing-key",
            Self::WrongType => "wrong-type",
            Self::BadValue => "bad-value",
            Self::BadPrompt => "bad-prompt",
            Self::BadAxis => "bad-axis",
            Self::BadInput => "bad-input",
        }
    }
}

/// A place in a text, with the line as it stands there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file's name, as it was given.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// How many characters are meant, at least 1.
    pub width: usize,
    /// The whole line, without its end.
    pub text: String,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind of mistake.
    pub kind: Kind,
    /// The key path it is about, `methods.vico.steps`; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to write at the marked place, or why it is wrong there; drawn behind the caret.
    pub note: Option<String>,
    /// What to do.
    pub help: Option<String>,
    /// Where, if the mistake has a place.
    pub place: Option<Place>,
}

/// Everything wrong with a manifest, in the order of the text. Its [`std::fmt::Display`] is the full report with source lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Errors {
    /// At least one, at most [`Errors::MOST`].
    pub problems: Vec<Problem>,
    /// Whether there are more than that.
    pub truncated: bool,
}

impl Errors {
    /// Nobody reads more at once, and a stranger's manifest may have a million.
    pub const MOST: usize = 100;

    /// Sorts by place. `None` without problems.
    pub(crate) fn from_problems(mut problems: Vec<Problem>) -> Option<Self> {
        let truncated = problems.len() > Self::MOST;
        problems.truncate(Self::MOST);
        problems.sort_by_key(|problem| {
            let place = problem.place.as_ref();
            place.map(|place| (place.file.clone(), place.line, place.column))
        });
        problems.dedup();
        (!problems.is_empty()).then_some(Self { problems, truncated })
    }
}
