//! A mistake by key path, before its place in the text is looked up.

use super::error::{Kind, Problem};
use super::path::Path;
use super::quoting;
use super::source::Source;
use super::tree::Node;

/// What is wrong with the value at a key path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub path: Path,
    pub kind: Kind,
    pub message: String,
    pub note: Option<String>,
    pub help: Option<String>,
    mark: Mark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Value,
    Key,
    /// The value, which should be text: YAML may have read it as something else.
    UnquotedText,
}

impl Finding {
    pub(crate) fn new(path: &Path, kind: Kind, message: impl Into<String>) -> Self {
        Self {
            path: path.clone(),
            kind,
            message: message.into(),
            note: None,
            help: None,
            mark: Mark::Value,
        }
    }

    #[must_use]
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// Marks the key instead of the value.
    #[must_use]
    pub(crate) fn at_key(mut self) -> Self {
        self.mark = Mark::Key;
        self
    }

    /// The value should be text and is not: look at how it is quoted.
    #[must_use]
    pub(crate) fn unquoted(mut self) -> Self {
        self.mark = Mark::UnquotedText;
        self
    }

    /// With its place.
    pub(crate) fn locate(self, tree: &Node, source: &Source) -> Problem {
        let stretch = match self.mark {
            Mark::Value | Mark::UnquotedText => Some(tree.value(&self.path)),
            Mark::Key => tree.key(&self.path),
        };
        let place = stretch.map(|stretch| source.place(stretch));
        let unquoted = place.as_ref().filter(|_| self.mark == Mark::UnquotedText);
        let trap = unquoted.and_then(|place| quoting::trap(&place.text));
        let (note, help) = trap.map_or((self.note, self.help), |trap| (Some(trap.why), Some(trap.help)));
        Problem {
            kind: self.kind,
            path: self.path.to_string(),
            message: self.message,
            note,
            help,
            place,
        }
    }
}
