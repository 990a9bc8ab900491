//! The report people read: source line, caret, help.

use std::fmt::{self, Display, Formatter};

use super::error::{Errors, Place, Problem};

/// Characters of a source line that are shown around the caret.
const SHOWN: usize = 100;

impl Display for Errors {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        match self.problems.len() {
            1 => f.write_str("1 error"),
            n if self.truncated => write!(f, "{n} errors and more that are not shown"),
            n => write!(f, "{n} errors"),
        }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "error[{}]: {}", self.kind.as_str(), shown(&self.message))?;
        if let Some(place) = &self.place {
            draw(place, self.note.as_deref(), f)?;
        }
        if let Some(help) = &self.help {
            writeln!(f, "  help: {}", shown(help))?;
        }
        Ok(())
    }
}

fn draw(place: &Place, note: Option<&str>, f: &mut Formatter<'_>) -> fmt::Result {
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    let (text, before) = window(place);
    let width = place
        .width
        .min(text.chars().count().saturating_sub(before))
        .max(1);
    writeln!(
        f,
        "{gutter} ╭─[{}:{}:{}]",
        shown(&place.file),
        place.line,
        place.column
    )?;
    writeln!(f, "{number} │ {}", shown(&text))?;
    let indent = " ".repeat(before);
    match note {
        None => writeln!(f, "{gutter} · {indent}{}", "─".repeat(width)),
        Some(note) => {
            let lead = width / 2;
            let rule = format!("{}┬{}", "─".repeat(lead), "─".repeat(width - lead - 1));
            writeln!(f, "{gutter} · {indent}{rule}")?;
            writeln!(f, "{gutter} · {indent}{}╰── {}", " ".repeat(lead), shown(note))
        }
    }
}

/// The part of a long line around the marked place, and how many characters of it come before the mark.
fn window(place: &Place) -> (String, usize) {
    let chars: Vec<char> = place.text.chars().collect();
    let before = (place.column - 1).min(chars.len());
    if chars.len() <= SHOWN {
        return (place.text.clone(), before);
    }
    let start = before.saturating_sub(SHOWN / 2).min(chars.len() - SHOWN);
    (chars[start..start + SHOWN].iter().collect(), before - start)
}

/// Text from a stranger's file, safe for a terminal: one column per character, no control codes.
fn shown(text: &str) -> String {
    let safe = |c: char| match c {
        '\t' => '→',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(safe).collect()
}
