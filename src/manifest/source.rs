//! The manifest's text, by lines.

use super::error::Place;

/// A file's name and text. Lines and columns are counted in characters, from 1.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    file: String,
    lines: Vec<String>,
}

/// A stretch of text on one line; columns in characters, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub line: usize,
    pub column: usize,
    /// `None`: to the end of the line.
    pub width: Option<usize>,
}

impl Source {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        Self {
            file: file.to_owned(),
            lines: text.lines().map(str::to_owned).collect(),
        }
    }

    /// The line of this number, without its end; empty beyond the text.
    pub(crate) fn line(&self, number: usize) -> &str {
        let index = number.checked_sub(1);
        index.and_then(|i| self.lines.get(i)).map_or("", String::as_str)
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    pub(crate) fn place(&self, stretch: Stretch) -> Place {
        let text = self.line(stretch.line).to_owned();
        let rest = text.trim_end().chars().count().saturating_sub(stretch.column - 1);
        Place {
            file: self.file.clone(),
            line: stretch.line,
            column: stretch.column,
            width: stretch.width.unwrap_or(rest).max(1),
            text,
        }
    }
}
