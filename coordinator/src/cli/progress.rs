//! A sweep as it moves: bars on a terminal, a line per change anywhere else.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use vico::job::Stage;
use vico::status::{StageStatus, SweepStatus};

use crate::cli::output::{self, Output};
use crate::cli::view;

/// Draws one sweep after the other status.
pub(super) enum Display {
    /// Nothing at all (`--no-progress`).
    Silent,
    /// One line whenever a job begins or ends.
    Lines {
        /// The line before, so that the same is not said twice.
        last: String,
        /// Notices already shown.
        notices: Vec<String>,
    },
    /// A bar per stage.
    Bars(Bars),
}

/// The bars of a terminal.
pub(super) struct Bars {
    all: MultiProgress,
    stages: BTreeMap<Stage, ProgressBar>,
    footer: ProgressBar,
    notices: Vec<String>,
}

/// Positions per job, so that a bar moves within a job too.
const FINENESS: f64 = 1000.0;

impl Display {
    /// What suits the terminal.
    pub(super) fn new(out: Output) -> Self {
        if !out.progress {
            Self::Silent
        } else if out.draws_bars() {
            Self::Bars(Bars::new())
        } else {
            Self::Lines {
                last: String::new(),
                notices: Vec::new(),
            }
        }
    }

    /// Shows where the sweep stands now.
    pub(super) fn show(&mut self, status: &SweepStatus) {
        match self {
            Self::Silent => {}
            Self::Lines { last, notices } => {
                for notice in news(notices, &status.notices) {
                    output::note(format_args!("! {notice}"));
                }
                let line = line(status);
                if line != *last {
                    output::note(&line);
                    *last = line;
                }
            }
            Self::Bars(bars) => bars.show(status),
        }
    }

    /// A remark between two statuses.
    pub(super) fn note(&self, text: &str) {
        match self {
            Self::Silent => {}
            Self::Lines { .. } => output::note(text),
            // A terminal that is gone is no reason to stop.
            Self::Bars(bars) => drop(bars.all.println(text)),
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.footer.finish_and_clear();
        for bar in self.stages.values() {
            bar.abandon();
        }
    }
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::new();
        let footer = all.add(ProgressBar::new_spinner());
        footer.set_style(style("{spinner} {msg}"));
        footer.enable_steady_tick(std::time::Duration::from_millis(200));
        Self {
            all,
            stages: BTreeMap::new(),
            footer,
            notices: Vec::new(),
        }
    }

    fn show(&mut self, status: &SweepStatus) {
        for notice in news(&mut self.notices, &status.notices) {
            drop(self.all.println(format!("! {notice}")));
        }
        for stage in &status.stages {
            let bar = self.stages.entry(stage.stage).or_insert_with(|| {
                let bar = self.all.insert_before(&self.footer, ProgressBar::new(0));
                bar.set_style(style("{prefix:<8} {bar:32} {msg}"));
                bar.set_prefix(stage.stage.to_string());
                bar
            });
            bar.set_length((f64::from(stage.jobs()) * FINENESS) as u64);
            let ended = [stage.succeeded, stage.failed, stage.aborted, stage.cancelled];
            let ended: f64 = ended.into_iter().map(f64::from).sum();
            bar.set_position(((ended + stage.in_flight) * FINENESS) as u64);
            bar.set_message(counts(stage));
        }
        let eta = status
            .eta
            .map(|eta| format!(", about {} left", view::rounded(eta)));
        self.footer.set_message(format!(
            "{} {}{}",
            status.sweep,
            status.state,
            eta.unwrap_or_default()
        ));
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates in this file are valid")
}

/// The notices that were not among those seen; what was seen is replaced.
fn news(seen: &mut Vec<String>, now: &[String]) -> Vec<String> {
    let fresh = now
        .iter()
        .filter(|notice| !seen.contains(notice))
        .cloned()
        .collect();
    *seen = now.to_vec();
    fresh
}

/// `hello-3fa81c20 running: train 1/2 (1 running), sample 0/2, score 0/2`.
fn line(status: &SweepStatus) -> String {
    let stages: Vec<String> = status
        .stages
        .iter()
        .map(|stage| format!("{} {}", stage.stage, counts(stage)))
        .collect();
    format!("{} {}: {}", status.sweep, status.state, stages.join(", "))
}

fn counts(stage: &StageStatus) -> String {
    let mut text = format!("{}/{}", stage.succeeded, stage.jobs());
    let details = [
        (stage.leased, "running"),
        (stage.failed, "failed"),
        (stage.aborted, "aborted"),
        (stage.cancelled, "cancelled"),
        (stage.reused, "done before"),
    ];
    let details: Vec<String> = details
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if !details.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(text, " ({})", details.join(", "));
    }
    text
}
