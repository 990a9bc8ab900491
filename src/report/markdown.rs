//! The leaderboard as a Markdown table that can be pasted into an issue or a paper's appendix.

use std::fmt::Write as _;

use crate::report::{Cell, Leaderboard, Row};

impl Leaderboard {
    /// The document `leaderboard.md`: the table, what to know about it, and the signature of every number.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}\n\n", self.sweep);
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        table_line(
            &mut text,
            ["method", "runs"].into_iter().chain(names.iter().copied()),
        );
        table_line(&mut text, std::iter::repeat_n("---", names.len() + 2));
        for row in &self.rows {
            table_line(&mut text, row_texts(row).iter().map(String::as_str));
        }
        text.push_str(
            "\nMean ± standard deviation over concepts of the mean over prompts of the mean over samples.\n",
        );
        for note in &self.notes {
            let _ = writeln!(text, "\n> {note}");
        }
        self.write_signatures(&mut text);
        text
    }

    fn write_signatures(&self, text: &mut String) {
        for (i, column) in self.columns.iter().enumerate() {
            for signature in &column.signatures {
                let lead = if i == 0 { "\n" } else { "" };
                let _ = writeln!(text, "{lead}- {}: `{signature}`", column.name);
            }
        }
    }
}

impl Row {
    /// `12/16`: runs of which nothing is missing, of those asked for.
    pub fn runs_text(&self) -> String {
        format!("{}/{}", self.runs_scored, self.runs)
    }
}

/// `0.6431 ± 0.0312 (n=16)`, `missing`, and `[3960/3968 images]` behind it where some were not measured.
impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(mean) = self.mean else {
            return f.write_str("missing");
        };
        write!(f, "{mean:.4}")?;
        if let Some(sd) = self.sd {
            write!(f, " ± {sd:.4}")?;
        }
        write!(f, " (n={})", self.concepts)?;
        if self.images < self.images_wanted {
            write!(f, " [{}/{} images]", self.images, self.images_wanted)?;
        }
        Ok(())
    }
}

fn row_texts(row: &Row) -> Vec<String> {
    let mut texts = vec![row.method.clone(), row.runs_text()];
    texts.extend(row.cells.iter().map(Cell::to_string));
    texts
}

fn table_line<'a>(text: &mut String, cells: impl Iterator<Item = &'a str>) {
    text.push('|');
    for cell in cells {
        let _ = write!(text, " {} |", cell.replace('|', "\\|"));
    }
    text.push('\n');
}
