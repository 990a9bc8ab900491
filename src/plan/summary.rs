//! A plan in numbers, before anything is spent on it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Plan;
use super::adapter_bytes::adapter_bytes;
use crate::ids::{JobKey, SweepId};
use crate::job::Stage;
use crate::spec::JobInputs;

/// What a sweep would do and what it would reuse.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanSummary {
    /// Version of this document's form; grows when a field changes its meaning.
    pub schema_version: u32,
    /// The sweep.
    pub sweep: SweepId,
    /// The manifest's name.
    pub name: String,
    /// Concept × method × matrix point × train seed.
    pub runs: usize,
    /// How many different concepts.
    pub concepts: usize,
    /// Rows of the leaderboard: methods × the matrix points that concern them.
    pub rows: usize,
    /// Stages in order.
    pub stages: Vec<StageSummary>,
    /// Train steps over all train jobs.
    pub train_steps: u64,
    /// Images over all class_images jobs.
    pub class_images: u64,
    /// Images over all sample jobs.
    pub images: u64,
    /// Bytes of reference images and models that the jobs read.
    pub input_bytes: u64,
    /// Roughly the bytes that the jobs not yet done will leave behind.
    pub output_bytes_estimate: u64,
}

/// One stage in numbers of jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageSummary {
    /// The stage.
    pub stage: Stage,
    /// All its jobs, each once.
    pub jobs: usize,
    /// Of them: already done.
    pub done: usize,
}

impl PlanSummary {
    /// The present [`PlanSummary::schema_version`].
    pub const SCHEMA_VERSION: u32 = 1;
}

impl Plan {
    /// The plan in numbers; `done` are the jobs with a receipt.
    pub fn summary(&self, done: &BTreeSet<JobKey>) -> PlanSummary {
        let concepts: BTreeSet<_> = self.runs.iter().map(|run| &run.concept).collect();
        let rows: BTreeSet<_> = self.runs.iter().map(|run| (&run.method, &run.point)).collect();
        let inputs = || self.jobs.values().map(|job| &job.spec.inputs);
        let undone = self.jobs.iter().filter(|(key, _)| !done.contains(key));
        PlanSummary {
            schema_version: PlanSummary::SCHEMA_VERSION,
            sweep: self.sweep.clone(),
            name: self.name.clone(),
            runs: self.runs.len(),
            concepts: concepts.len(),
            rows: rows.len(),
            stages: Stage::ALL
                .into_iter()
                .map(|stage| self.stage(stage, done))
                .filter(|stage| stage.jobs > 0)
                .collect(),
            train_steps: inputs().map(train_steps).sum(),
            class_images: inputs().map(|inputs| images(inputs, Stage::ClassImages)).sum(),
            images: inputs().map(|inputs| images(inputs, Stage::Sample)).sum(),
            input_bytes: self.input_bytes,
            output_bytes_estimate: undone.map(|(_, job)| output_bytes(&job.spec.inputs)).sum(),
        }
    }

    fn stage(&self, stage: Stage, done: &BTreeSet<JobKey>) -> StageSummary {
        let jobs = || self.jobs.iter().filter(|(_, job)| job.stage() == stage);
        StageSummary {
            stage,
            jobs: jobs().count(),
            done: jobs().filter(|(key, _)| done.contains(key)).count(),
        }
    }
}

fn train_steps(inputs: &JobInputs) -> u64 {
    match inputs {
        JobInputs::Train(inputs) => u64::from(inputs.method.steps()),
        JobInputs::ClassImages(_) | JobInputs::Sample(_) | JobInputs::Score(_) => 0,
    }
}

/// Images that a job draws, if it is of this stage.
fn images(inputs: &JobInputs, stage: Stage) -> u64 {
    match inputs {
        _ if inputs.stage() != stage => 0,
        JobInputs::ClassImages(inputs) => u64::from(inputs.count),
        JobInputs::Sample(inputs) => inputs.sampling.images_of(inputs.prompts.len()),
        JobInputs::Train(_) | JobInputs::Score(_) => 0,
    }
}

/// Of a train job its adapter; of a drawn picture 1.6 bytes per pixel, as photos compress to in PNG; of a score some
/// numbers per image.
fn output_bytes(inputs: &JobInputs) -> u64 {
    let pictures = |side: u32| images(inputs, inputs.stage()) * u64::from(side).pow(2) * 16 / 10;
    match inputs {
        JobInputs::ClassImages(inputs) => pictures(inputs.size),
        JobInputs::Train(inputs) => adapter_bytes(&inputs.method),
        JobInputs::Sample(sample) => pictures(sample.sampling.size),
        JobInputs::Score(score) => score.prompts.len() as u64 * u64::from(score.images_per_prompt) * 300,
    }
}
