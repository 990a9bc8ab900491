//! What manifests mean, and what people are told about manifests that mean nothing.

mod broken;
mod hostile;
mod meaning;
mod schema;

use super::{Errors, Manifest, parse};

/// The least a manifest must say.
pub(crate) const SMALL: &str = r#"version: 1
name: hello
base: {model: /models/sd}
concepts:
  duck: {images: duck/, class: rubber duck}
prompt_sets:
  p:
    prompts: ["a {} in the snow", "a {} on the beach"]
methods:
  vico: {method: vico}
metrics: {clip: /models/clip, dino: /models/dino}
"#;

fn good(text: &str) -> Manifest {
    match parse(text.as_bytes(), "manifest.yaml") {
        Ok(manifest) => manifest,
        Err(errors) => panic!("{errors}"),
    }
}

fn bad(text: &str) -> Errors {
    match parse(text.as_bytes(), "manifest.yaml") {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(errors) => errors,
    }
}

/// [`SMALL`] with one text replaced.
fn with(old: &str, new: &str) -> String {
    assert!(SMALL.contains(old), "{old:?} is not in the manifest");
    SMALL.replace(old, new)
}
