//! The leaderboard as a LaTeX table (needs `booktabs`), to be pasted into a paper.

use std::fmt::Write as _;

use crate::report::{Cell, Leaderboard, Row};

impl Leaderboard {
    /// The document `leaderboard.tex`: a `tabular` with mean and interval, and the signatures as comments.
    pub fn to_latex(&self) -> String {
        let mut text = String::new();
        for column in &self.columns {
            for signature in &column.signatures {
                let _ = writeln!(text, "% {}: {}", one_line(&column.name), one_line(signature));
            }
        }
        let _ = writeln!(text, "% {}", self.statistics);
        let _ = writeln!(
            text,
            "\\begin{{tabular}}{{l{}}}\n\\toprule",
            "c".repeat(self.columns.len())
        );
        let names = self.columns.iter().map(|column| escaped(&column.name));
        line(&mut text, std::iter::once("method".to_owned()).chain(names));
        text.push_str("\\midrule\n");
        for row in &self.rows {
            line(&mut text, row_texts(row));
        }
        text.push_str("\\bottomrule\n\\end{tabular}\n");
        text
    }
}

fn row_texts(row: &Row) -> impl Iterator<Item = String> {
    std::iter::once(escaped(&row.method)).chain(row.cells.iter().map(cell))
}

/// `0.643 {\scriptsize [0.628, 0.658]}`; what is missing is a dash, never a zero.
fn cell(cell: &Cell) -> String {
    match (cell.mean, cell.interval) {
        (Some(mean), Some(found)) => {
            format!("{mean:.3} {{\\scriptsize [{:.3}, {:.3}]}}", found.low, found.high)
        }
        (Some(mean), None) => format!("{mean:.3}"),
        (None, _) => "--".to_owned(),
    }
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    let _ = writeln!(text, "{} \\\\", cells.join(" & "));
}

/// Text as LaTeX prints it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', letter]),
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// A comment must not end before its text does.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
