//! Where words go: data to stdout, everything else to stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use vico::causes::with_causes;

use crate::cli::exit::{Error, Result};

/// How data is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs: one JSON document; fields are only ever added.
    Json,
}

/// What the user asked of the output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// How data is written.
    pub(crate) format: Format,
    /// Whether progress may be drawn.
    pub(crate) progress: bool,
}

impl Output {
    /// Whether data is to be JSON.
    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Whether bars can be drawn and redrawn.
    pub(crate) fn draws_bars(self) -> bool {
        self.progress && io::stderr().is_terminal()
    }
}

/// Data as JSON, pretty because people read it too.
pub(crate) fn json(value: &impl Serialize) -> Result {
    let json = serde_json::to_string_pretty(value).context("the answer has no JSON form")?;
    text(&(json + "\n"))
}

/// A line of data.
pub(crate) fn line(line: impl Display) -> Result {
    text(&format!("{line}\n"))
}

/// Data as it is.
pub(crate) fn text(text: &str) -> Result {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // Whoever reads, `head` say, has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other.context("stdout cannot be written")?),
    }
}

/// Rows under a header.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().copied());
    table.add_rows(rows);
    let trimmed = |line: String| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned();
    line(table.lines().map(trimmed).collect::<Vec<_>>().join("\n"))
}

/// A remark, on stderr. It is not worth failing for.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The last words of a command that failed.
pub(crate) fn report(error: &Error) {
    let mut stderr = io::stderr().lock();
    let _ = match error {
        // Already a report of its own, with carets and hints.
        Error::Manifest(report) => writeln!(stderr, "{}", report.trim_end()),
        other => writeln!(stderr, "error: {}", with_causes(other)),
    };
    if let Some(hint) = error.hint() {
        let _ = writeln!(stderr, "\nhint: {hint}");
    }
}
