//! The checks: what each file of a reference set says, recomputed.

pub(crate) mod baselines;
pub(crate) mod forward;
pub(crate) mod golden;
pub(crate) mod gradients;
pub(crate) mod images;
pub(crate) mod ledger;
pub(crate) mod metrics;
pub(crate) mod model;
pub(crate) mod positions;
pub(crate) mod sampling;
pub(crate) mod setting;
pub(crate) mod short_side;
pub(crate) mod statistics;
pub(crate) mod tables;
pub(crate) mod training;

use std::path::Path;

use anyhow::Result;

pub(crate) use ledger::{Ledger, Line};

/// Checks of one part of a set.
type Check = fn(&Path, &mut Ledger) -> Result<()>;

/// The parts, by the name their items start with, and the file or folder each belongs to.
const PARTS: [(&str, &str, Check); 12] = [
    ("tokens", "tokens.json", tables::tokens),
    ("otsu", "otsu.safetensors", tables::otsu),
    ("schedule", "schedule.json", tables::schedule),
    ("images", "images", images::check),
    ("tiny-sd", "tiny-sd", model::check),
    ("vico.inputs", "vico", forward::inputs),
    ("vico.forward", "vico", forward::forward),
    ("vico.grads", "vico", gradients::grads),
    ("vico_train", "vico_train", training::check),
    ("vico_sample", "vico_sample", sampling::check),
    ("baselines", "baselines", baselines::check),
    ("metrics", "metrics", metrics::check),
];

/// All items of the set in `dir`, or those whose name starts with `only`.
pub(crate) fn replay(dir: &Path, only: Option<&str>) -> Vec<Line> {
    let wanted = |name: &str| only.is_none_or(|only| name.starts_with(only) || only.starts_with(name));
    let mut lines = Vec::new();
    for (name, _, check) in PARTS.iter().filter(|(name, ..)| wanted(name)) {
        let mut ledger = Ledger::default();
        if let Err(error) = check(dir, &mut ledger) {
            ledger.miss(name, &format!("{error:#}"));
        }
        lines.extend(ledger.into_lines());
    }
    if only.is_none() {
        lines.extend(unknown(dir));
    }
    lines.retain(|line| only.is_none_or(|only| line.name().starts_with(only)));
    lines
}

/// What the set holds and no check reads: a miss for each, never a silent skip.
fn unknown(dir: &Path) -> Vec<Line> {
    let mut ledger = Ledger::default();
    let known = |name: &str| name == "README.md" || PARTS.iter().any(|(_, file, _)| *file == name);
    match golden::names(dir) {
        Err(error) => ledger.miss("set", &format!("{error:#}")),
        Ok(names) => {
            for name in names.into_iter().filter(|name| !known(name)) {
                let inside = golden::names(&dir.join(&name)).unwrap_or_default();
                let files = inside.iter().filter(|file| file.ends_with(".safetensors"));
                let items: Vec<String> = files.map(|file| format!("{name}/{file}")).collect();
                let items = if items.is_empty() { vec![name] } else { items };
                for item in &items {
                    ledger.miss(item, "not built yet");
                }
            }
        }
    }
    ledger.into_lines()
}
