//! Alerts, dashboard and scaler ask for series that there are.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::programs::{metrics, root};
use crate::rendered::overlays;

/// Only machines with a GPU tell them: that they are documented has to do.
const OF_GPUS: &str = "vico_worker_gpu_";

#[test]
#[ignore = "needs rendered overlays: run .ci/kubernetes"]
fn every_series_that_is_asked_for_exists() {
    let overlays = overlays();
    let of = |name: &str| overlays.iter().find(|overlay| overlay.name == name).unwrap();
    let text = metrics(of("monitoring"));
    let told = families(&text);
    let documented = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let mut asked = BTreeSet::new();
    for overlay in &overlays {
        overlay
            .objects
            .iter()
            .for_each(|object| gather(object, &mut asked));
    }
    assert!(asked.len() > 15, "{asked:?}");
    for name in asked {
        let known = if name.starts_with(OF_GPUS) {
            documented.contains(&name)
        } else {
            told.contains(family(&name))
        };
        assert!(known, "nothing tells {name}");
    }
}

/// Names of metrics without what their kind adds.
fn families(text: &str) -> BTreeSet<&str> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split(' ').next()).collect()
}

fn family(series: &str) -> &str {
    let endings = ["_total", "_bucket", "_count", "_sum"];
    endings
        .iter()
        .find_map(|ending| series.strip_suffix(ending))
        .unwrap_or(series)
}

/// Names of our series in every text below `value`.
fn gather(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => into.extend(series(text)),
        Value::Array(items) => items.iter().for_each(|item| gather(item, into)),
        Value::Object(fields) => fields.values().for_each(|field| gather(field, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn series(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.filter(|word| word.starts_with("vico_")).map(str::to_owned)
}
