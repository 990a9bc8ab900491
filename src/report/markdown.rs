//! The leaderboard as a Markdown table that can be pasted into an issue or a paper's appendix.

use std::fmt::Write as _;

use crate::report::{Cell, Comparison, Leaderboard, Row};
use crate::statistics::{Interval, Paired};

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
            "\nMean ± standard deviation over concepts of the mean over prompts of the mean over samples, and its 95 % \
             bootstrap interval.\n",
        );
        self.write_comparisons(&mut text);
        for note in &self.notes {
            let _ = writeln!(text, "\n> {note}");
        }
        self.write_signatures(&mut text);
        let _ = writeln!(text, "\nStatistics: `{}`", self.statistics);
        text
    }

    fn write_comparisons(&self, text: &mut String) {
        if self.comparisons.is_empty() {
            return;
        }
        text.push('\n');
        let header = [
            "metric",
            "first",
            "second",
            "difference",
            "p",
            "p (Holm)",
            "win/tie/loss",
        ];
        table_line(text, header.into_iter());
        table_line(text, std::iter::repeat_n("---", header.len()));
        for comparison in &self.comparisons {
            table_line(text, comparison.texts().iter().map(String::as_str));
        }
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

impl Comparison {
    /// Its cells in a table: metric, both rows, the difference with its interval, p values and the tally.
    pub fn texts(&self) -> [String; 7] {
        let Paired {
            difference,
            interval,
            p,
            tally,
            ..
        } = &self.paired;
        let interval = interval.map(|found| format!(" {found}")).unwrap_or_default();
        [
            self.column.clone(),
            self.first.clone(),
            self.second.clone(),
            format!("{difference:+.4}{interval}"),
            format!("{p:.4}"),
            format!("{:.4}", self.p_holm),
            format!("{}/{}/{}", tally.wins, tally.ties, tally.losses),
        ]
    }
}

/// `[0.6120, 0.6741]`.
impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{:.4}, {:.4}]", self.low, self.high)
    }
}

/// `0.6431 ± 0.0312 [0.6280, 0.6583] (n=16)`, `missing`, and `(3960/3968 images)` behind it where some were not measured.
impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(mean) = self.mean else {
            return f.write_str("missing");
        };
        write!(f, "{mean:.4}")?;
        if let Some(sd) = self.sd {
            write!(f, " ± {sd:.4}")?;
        }
        if let Some(interval) = self.interval {
            write!(f, " {interval}")?;
        }
        write!(f, " (n={})", self.concepts)?;
        if self.images < self.images_wanted {
            write!(f, " ({}/{} images)", self.images, self.images_wanted)?;
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
