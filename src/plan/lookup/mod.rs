//! From locations to what lies there, with every mistake traced back to the manifest.

mod concepts;
mod custom_concept101;
mod dreambench;
mod models;
mod prompts;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Resolved;
use crate::digest::Digest;
use crate::manifest::{ConceptKind, Errors, Finding, Kind, Manifest, Origin, Path, Problem};
use crate::spec::{ConceptInputs, EvaluatorInputs, ModelInputs, ModelSource, PromptSpec};

/// Looks things up and remembers what was wrong.
pub(super) struct Lookup<'a> {
    manifest: &'a Manifest,
    origin: &'a Origin,
    resolved: &'a Resolved,
    problems: Vec<Problem>,
    /// Bytes of everything found, by digest.
    sizes: BTreeMap<Digest, u64>,
}

/// A concept with its images and its kind.
pub(super) struct Found {
    pub inputs: Arc<ConceptInputs>,
    pub kind: Option<ConceptKind>,
    /// Prompts of its own; without, those of the prompt sets for its kind.
    pub prompts: Option<Arc<[PromptSpec]>>,
}

/// What a data set's own list says of a concept.
pub(super) struct Listed {
    pub class: String,
    pub kind: Option<ConceptKind>,
    pub prompts: Option<Vec<PromptSpec>>,
}

/// The models of some settings.
pub(super) struct Models {
    pub base: ModelInputs,
    pub base_source: Arc<ModelSource>,
    /// With their sources, in the order of [`EvaluatorInputs::models`].
    pub evaluators: Option<(EvaluatorInputs, Vec<Arc<ModelSource>>)>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(manifest: &'a Manifest, origin: &'a Origin, resolved: &'a Resolved) -> Self {
        Self {
            manifest,
            origin,
            resolved,
            problems: Vec::new(),
            sizes: BTreeMap::new(),
        }
    }

    /// Bytes of everything found, or everything that was wrong.
    pub(super) fn finish(self) -> Result<u64, Errors> {
        match Errors::from_problems(self.problems) {
            Some(errors) => Err(errors),
            None => Ok(self.sizes.values().sum()),
        }
    }

    pub(super) fn report(&mut self, finding: Finding) {
        let problem = self.manifest.problem(finding);
        self.remember(problem);
    }

    fn remember(&mut self, problem: Problem) {
        // Every point of a matrix finds the same.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn unresolved(&mut self, url: &str, path: &Path) {
        self.report(Finding::new(
            path,
            Kind::BadInput,
            format!("{url} was not looked at"),
        ));
    }
}
