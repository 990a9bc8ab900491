//! The reference set of the fixtures, recomputed: the same checks as the `replay` example.

#[path = "../examples/replay/parity/mod.rs"]
mod parity;

use std::path::Path;

/// Every item whose name starts with `part` is recomputed within its tolerance.
fn holds(part: &str) {
    let set = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity");
    let lines = parity::replay(&set, Some(part));
    assert!(!lines.is_empty(), "nothing was compared");
    let missed: Vec<String> = lines
        .iter()
        .filter(|line| !line.ok())
        .map(ToString::to_string)
        .collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn tokens() {
    holds("tokens");
}

#[test]
fn automatic_masks() {
    holds("otsu");
}

#[test]
fn noise_schedule() {
    holds("schedule");
}

#[test]
fn pictures() {
    holds("images");
}

#[test]
fn base_model() {
    holds("tiny-sd");
}

#[test]
fn vico_inputs() {
    holds("vico.inputs");
}

#[test]
fn vico_forward_pass() {
    holds("vico.forward");
}

#[test]
fn vico_gradients() {
    holds("vico.grads");
}

#[test]
fn vico_training() {
    holds("vico_train");
}

#[test]
fn vico_sampling() {
    holds("vico_sample");
}

#[test]
fn baselines() {
    holds("baselines");
}

#[test]
fn metrics() {
    holds("metrics");
}
