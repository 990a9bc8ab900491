//! Judging many pictures, and the rates.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{Judge, Verdict};
use crate::dataset::{CAPTIONS, PICTURES};
use crate::picture::{BYTES, Picture};

/// How often something was right, of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// Right ones.
    pub right: usize,
    /// Judged ones.
    pub of: usize,
}

/// Rates over pictures; each counts the pictures whose caption speaks of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The place.
    pub background: Rate,
    /// The shape.
    pub shape: Rate,
    /// The colour.
    pub colour: Rate,
    /// The surface.
    pub pattern: Rate,
    /// Shape, colour and surface.
    pub object: Rate,
    /// Object and place.
    pub all: Rate,
}

/// A line of the captions file; without a file name, the picture is the line's in `images.u8`.
#[derive(Debug, Deserialize)]
struct Line {
    caption: String,
    file: Option<String>,
}

impl Rate {
    fn count(&mut self, right: Option<bool>) {
        self.of += usize::from(right.is_some());
        self.right += usize::from(right == Some(true));
    }

    /// From 0 to 1; not a number if nothing was judged.
    pub fn share(&self) -> f64 {
        self.right as f64 / self.of as f64
    }
}

impl Report {
    /// Counts one more picture.
    pub fn count(&mut self, verdict: &Verdict) {
        self.background.count(verdict.background);
        self.shape.count(verdict.shape);
        self.colour.count(verdict.colour);
        self.pattern.count(verdict.pattern);
        self.object.count(verdict.object());
        self.all.count(verdict.all());
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("background", self.background),
            ("shape", self.shape),
            ("colour", self.colour),
            ("pattern", self.pattern),
            ("object", self.object),
            ("object and background", self.all),
        ];
        for (name, rate) in rows.into_iter().filter(|(_, rate)| rate.of > 0) {
            let percent = 100.0 * rate.share();
            writeln!(f, "{name:<22}{percent:>6.1} %   {} of {}", rate.right, rate.of)?;
        }
        Ok(())
    }
}

/// Judges the pictures of a folder by its `captions.jsonl`: lines `{"caption": …, "file": …}`, or without `file` the
/// pictures of `images.u8` in order.
///
/// # Errors
/// A file is missing or not what it should be; the message names it.
pub fn judge_folder(dir: &Path) -> Result<Report> {
    let path = dir.join(CAPTIONS);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read {}: it should hold lines {{\"caption\": \"...\", \"file\": \"0.png\"}}",
            path.display()
        )
    })?;
    let raw = std::fs::read(dir.join(PICTURES)).unwrap_or_default();
    let (judge, mut report) = (Judge::default(), Report::default());
    for (number, line) in text.lines().enumerate() {
        let line: Line = serde_json::from_str(line)
            .with_context(|| format!("{}, line {}: not a caption", path.display(), number + 1))?;
        let picture = match &line.file {
            Some(file) => Picture::read(&dir.join(file))?,
            None => of_raw(&raw, number).with_context(|| {
                format!(
                    "{}: no picture for line {}",
                    dir.join(PICTURES).display(),
                    number + 1
                )
            })?,
        };
        report.count(&judge.compare(&picture, &line.caption));
    }
    ensure!(
        report != Report::default(),
        "{}: nothing to judge",
        path.display()
    );
    Ok(report)
}

fn of_raw(raw: &[u8], index: usize) -> Option<Picture> {
    Picture::from_bytes(raw.get(index * BYTES..(index + 1) * BYTES)?)
}
