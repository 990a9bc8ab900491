//! A valid sweep to keyed jobs, before anything runs.
//!
//! [`needs`] says what must be known of the world, the store answers with [`Resolved`], and [`expand`] freezes the graph.
//! All of it is pure: the same manifest over the same bytes gives the same keys on any machine.
//!
//! [`Plan::summary`], [`Plan::why`] and [`diff()`] are what people see of a plan before they spend on it.

mod adapter_bytes;
mod diff;
mod expand;
mod jobs;
mod label;
mod lookup;
mod needs;
mod resolved;
mod summary;
mod why;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ids::{ConceptId, JobKey, MethodId, SweepId};
use crate::job::Stage;
use crate::spec::JobSpec;

pub use crate::manifest::{Backoff, RetryPolicy, Scheduling};
pub use diff::{FieldChange, PlanDiff, StageDiff, diff};
pub use expand::expand;
pub use needs::needs;
pub use resolved::{ModelRole, Need, Resolved, ResolvedFile};
pub use summary::{PlanSummary, StageSummary};
pub use why::Why;

/// The frozen graph of a sweep's jobs; the document `sweeps/<sweep>/plan.json`, beside which the jobs lie in pages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name and eight digits of the digest over the name and all job keys.
    pub sweep: SweepId,
    /// The manifest's name.
    pub name: String,
    /// Every run: concept × method × matrix point × train seed.
    pub runs: Vec<Run>,
    /// Every job, once, whoever shares it. Not in the document.
    #[serde(skip)]
    pub jobs: BTreeMap<JobKey, PlannedJob>,
    /// What happens when attempts fail.
    pub retry: RetryPolicy,
    /// Its place among other sweeps.
    #[serde(default)]
    pub scheduling: Scheduling,
    /// Bytes of reference images and models that the jobs read.
    pub input_bytes: u64,
    /// Digest over the manifest with every default filled in, and where its models lie: a sweep whose plan has it again has
    /// the same documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_of: Option<Digest>,
}

impl Plan {
    /// The keys of all jobs: from the runs, so that a plan that was read from its document has them too.
    pub fn keys(&self) -> BTreeSet<JobKey> {
        let jobs = self.runs.iter().flat_map(Run::jobs);
        jobs.map(|(_, key)| key).collect()
    }
}

/// One run and its jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The method as the manifest calls it.
    pub method: MethodId,
    /// The concept.
    pub concept: ConceptId,
    /// Label of the matrix point, `guidance=5,steps=50`, without the train seed; empty without a matrix.
    pub point: String,
    /// Seed of the training.
    pub train_seed: u64,
    /// The job that draws class images, for a method with a prior loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_images: Option<JobKey>,
    /// The job that trains, for a method that learns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<JobKey>,
    /// The job that draws.
    pub sample: JobKey,
    /// The job that measures; `None` where nothing is measured.
    pub score: Option<JobKey>,
}

impl Run {
    /// Its jobs with their stages, in the order of dependence.
    pub fn jobs(&self) -> impl Iterator<Item = (Stage, JobKey)> {
        let jobs = [
            (Stage::ClassImages, self.class_images),
            (Stage::Train, self.train),
            (Stage::Sample, Some(self.sample)),
            (Stage::Score, self.score),
        ];
        jobs.into_iter().filter_map(|(stage, key)| Some((stage, key?)))
    }
}

/// A job of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedJob {
    /// What it reads.
    pub spec: JobSpec,
    /// For people: `vico@guidance=5/barn/sample`.
    pub label: String,
    /// The jobs whose outputs it reads.
    pub upstream: Vec<JobKey>,
}

impl PlannedJob {
    /// Its stage.
    pub fn stage(&self) -> Stage {
        self.spec.inputs.stage()
    }
}

#[cfg(test)]
mod tests;
