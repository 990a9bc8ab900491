//! One image with all that a reader may ask about it.

use maud::{Markup, html};

use super::UP;
use crate::report::RunOutcome;
use crate::report::paths::Paths;
use crate::report::samples::{SampleRow, rows_of_run};

/// An image that was drawn.
pub(super) struct Shot<'a> {
    pub(super) row: SampleRow,
    pub(super) run: &'a RunOutcome,
    adapter: String,
}

/// The images of a run that were drawn.
pub(super) fn of_run<'a>(run: &'a RunOutcome, paths: &Paths) -> Vec<Shot<'a>> {
    let adapter = paths.adapter(run);
    let shot = |row| Shot {
        row,
        run,
        adapter: adapter.clone(),
    };
    rows_of_run(run, paths).map(shot).collect()
}

impl Shot<'_> {
    /// The thumbnail. A click enlarges it; without scripts it opens the file.
    pub(super) fn thumbnail(&self) -> Markup {
        let file = format!("{UP}{}", self.row.file_name);
        html! {
            a.shot href=(file) data-title=(self.title()) data-prompt=(self.row.prompt) data-facts=(self.facts())
                data-scores=(self.scores()) data-adapter={ (UP) (self.adapter) } {
                img src=(file) alt=(self.row.prompt) loading="lazy";
            }
        }
    }

    fn title(&self) -> String {
        format!("{} · {}", self.run.method_at_point(), self.row.concept)
    }

    fn facts(&self) -> String {
        let job = self.run.sample.as_ref().map(|receipt| receipt.job.0.short());
        format!(
            "prompt {} · sample {} · sampling seed {} · train seed {} · job {}",
            self.row.prompt_index,
            self.row.sample,
            self.run.sample_seed,
            self.row.train_seed,
            job.unwrap_or_default(),
        )
    }

    fn scores(&self) -> String {
        let values = self.row.values.iter();
        let lines = values.map(|(metric, value)| format!("{metric} {value:.4}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Where the script shows an image with its facts.
pub(super) fn enlarged() -> Markup {
    html! {
        dialog #enlarged {
            img alt="";
            div {
                h3 {}
                p.prompt {}
                p.facts {}
                pre {}
                p { a.file { "image" } " · " a.adapter { "adapter" } }
                form method="dialog" { button { "close" } }
            }
        }
    }
}
