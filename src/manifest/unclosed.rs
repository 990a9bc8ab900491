//! Finds the bracket, brace or quote that was never closed; the YAML reader only notices lines later.

use super::source::{Source, Stretch};

/// What is still open at the end of a line: the innermost of it, with its place.
pub(crate) fn innermost(source: &Source, last_line: usize) -> Option<(char, Stretch)> {
    let mut open = Open::default();
    for line in 1..=last_line {
        open.read(line, source.line(line));
    }
    let (sign, line, column) = open.quote.or(open.brackets.pop())?;
    Some((
        sign,
        Stretch {
            line,
            column,
            width: Some(1),
        },
    ))
}

/// A sign, its line and its column.
type Sign = (char, usize, usize);

#[derive(Default)]
struct Open {
    quote: Option<Sign>,
    brackets: Vec<Sign>,
}

impl Open {
    fn read(&mut self, line: usize, text: &str) {
        // The last character that is no blank, and whether a blank follows it.
        let mut before: Option<char> = None;
        let mut after_blank = true;
        let mut escaped = false;
        for (i, c) in text.chars().enumerate() {
            let sign = (c, line, i + 1);
            if let Some((quote, ..)) = self.quote {
                if c == quote && !escaped {
                    self.quote = None;
                }
                escaped = quote == '"' && c == '\\' && !escaped;
            } else if c == '#' && after_blank {
                return;
            } else {
                self.take(sign, before);
            }
            after_blank = c.is_whitespace();
            before = if after_blank { before } else { Some(c) };
        }
    }

    /// Signs count where a value may start; elsewhere they are part of a text.
    fn take(&mut self, sign: Sign, before: Option<char>) {
        let in_flow = !self.brackets.is_empty();
        let starts =
            matches!(before, None | Some(':' | '-')) || (in_flow && matches!(before, Some(',' | '[' | '{')));
        match sign.0 {
            '"' | '\'' if starts => self.quote = Some(sign),
            '[' | '{' if starts || in_flow => self.brackets.push(sign),
            ']' | '}' => drop(self.brackets.pop()),
            _ => {}
        }
    }
}
