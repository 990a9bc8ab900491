//! One image with all that a reader may ask about it.

use maud::{Markup, html};

use super::UP;
use crate::report::paths::Paths;
use crate::report::samples::images;
use crate::report::{RunOutcome, SampleRow};

/// A run with the images that were drawn.
pub(super) struct Drawn<'a> {
    pub(super) run: &'a RunOutcome,
    rows: &'a [SampleRow],
    /// Absent where nothing was trained.
    adapter: Option<String>,
}

/// An image that was drawn.
#[derive(Clone, Copy)]
pub(super) struct Shot<'a> {
    pub(super) row: &'a SampleRow,
    pub(super) run: &'a RunOutcome,
    adapter: Option<&'a str>,
}

/// Deals out `rows`, which are in the order of `runs`.
pub(super) fn by_run<'a>(runs: &'a [RunOutcome], rows: &'a [SampleRow], paths: &Paths) -> Vec<Drawn<'a>> {
    let mut rest = rows;
    let mut deal = |run| {
        let (own, others) = rest.split_at(images(run).count());
        rest = others;
        Drawn {
            run,
            rows: own,
            adapter: run.is_trained.then(|| format!("{UP}{}", paths.adapter(run))),
        }
    };
    runs.iter().map(&mut deal).collect()
}

impl Drawn<'_> {
    /// The images, ordered by prompt and sample.
    pub(super) fn shots(&self) -> impl Iterator<Item = Shot<'_>> {
        self.rows.iter().map(|row| Shot {
            row,
            run: self.run,
            adapter: self.adapter.as_deref(),
        })
    }
}

impl Shot<'_> {
    /// The thumbnail. A click enlarges it; without scripts it opens the file.
    pub(super) fn thumbnail(&self) -> Markup {
        let file = format!("{UP}{}", self.row.file_name);
        html! {
            a.shot href=(file) data-title=(self.title()) data-prompt=(self.row.prompt) data-facts=(self.facts())
                data-scores=(self.scores()) data-adapter=[self.adapter] {
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
                p { a.file { "image" } span { " · " a.adapter { "adapter" } } }
                form method="dialog" { button { "close" } }
            }
        }
    }
}
