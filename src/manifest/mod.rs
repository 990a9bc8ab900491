//! What users write: YAML to a valid sweep, and every mistake in it with its place.
//!
//! Bottom up, as a manifest passes through:
//!
//! - `source`, `tree`, `path`: the text, where every value stands in it, and how values are addressed. `syntax`,
//!   `quoting` and `unclosed` explain what is not YAML, or not the YAML it seems to be.
//! - `raw`: the manifest as plain structs. Their JSON Schema is the first check (`shape`, `scalar`).
//! - `units`, `location`, `prompts`, `tokens`, `builtin_prompts`: what single values mean.
//! - `check`, `check_concepts`, `check_prompts`: from what is written to [`Settings`]. `axis`, `matrix`: one [`Settings`]
//!   per [`Point`].
//! - `read` runs all of it; `finding`, `error`, `render`: from mistakes to the report people read.
//!
//! Invariants: no bytes panic; everything is budgeted before anything recursive looks at it; `serde_yaml` is used here
//! only.

mod axis;
mod builtin_prompts;
mod check;
mod check_concepts;
mod check_prompts;
mod error;
mod finding;
mod location;
mod matrix;
mod methods;
mod path;
mod prompt_file;
mod prompts;
mod quoting;
mod raw;
mod read;
mod render;
mod scalar;
mod settings;
mod shape;
mod source;
mod suggest;
mod syntax;
mod tokens;
mod tree;
mod unclosed;
mod units;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use builtin_prompts::find as builtin_prompts;
pub use check::is_variant;
pub use error::{Errors, Kind, Place, Problem};
pub use location::{InvalidOrigin, Origin};
pub use settings::{
    Assignment, Backoff, BaseModel, Concept, ConceptKind, ConceptsFrom, FolderLayout, Images, Metrics, Point,
    PromptSet, Prompts, RetryPolicy, Scheduling, Scope, Settings, StageResources, Words,
};

/// A valid manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    raw: raw::RawManifest,
    retry: RetryPolicy,
    points: Vec<Point>,
    tree: Arc<tree::Node>,
    source: source::Source,
}

/// Reads a manifest. `file` is its name in messages.
///
/// Never panics, whatever the bytes. Finds all mistakes in one pass, except that text which is not YAML hides the rest.
pub fn parse(text: &[u8], file: &str) -> Result<Manifest, Errors> {
    read::read(text, file)
}

/// The JSON Schema of manifests, for editors; the same as `manifests/schema/manifest.v1.json`.
pub fn schema() -> serde_json::Value {
    shape::schema().clone()
}

impl Manifest {
    /// The sweep's name.
    pub fn name(&self) -> &str {
        &self.raw.name
    }

    /// What people wrote about it; may be empty.
    pub fn description(&self) -> &str {
        &self.raw.description
    }

    /// Labels that people gave it.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.raw.labels
    }

    /// The points of the matrix; one without a matrix.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// What happens when attempts fail.
    pub fn retry(&self) -> &RetryPolicy {
        &self.retry
    }

    /// The sweep's place among others.
    pub fn scheduling(&self) -> &Scheduling {
        &self.raw.scheduling
    }

    /// The whole manifest with every default written out. Parses to the same plan.
    pub fn show_defaults(&self) -> String {
        let mut raw = self.raw.clone();
        check_concepts::write_out_defaults(&mut raw);
        raw.methods.values_mut().for_each(methods::write_out);
        serde_yaml::to_string(&raw)
            .expect("plain structs of text, numbers and maps with text keys have a YAML form")
    }

    /// A mistake that only shows outside the manifest, at the value that brought it about.
    pub(crate) fn problem(&self, finding: finding::Finding) -> Problem {
        finding.locate(&self.tree, &self.source)
    }
}

pub(crate) use check_concepts::last_word;
pub(crate) use finding::Finding;
pub(crate) use path::Path;
pub(crate) use prompt_file::prompt_file;

#[cfg(test)]
pub(crate) mod tests;
