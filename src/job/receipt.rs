//! The record that a job is done and what it made. A job whose receipt exists is done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::{Attempt, JobKey, LeaseId, WorkerId};
use crate::job::Stage;

/// Bytes named by their digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    /// BLAKE3 of the bytes.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
}

/// What a worker says of the device it computes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFacts {
    /// `cpu`, or the GPU's product name.
    pub name: String,
    /// GPU memory in bytes; 0 on a CPU.
    pub vram: u64,
    /// Driver version; empty on a CPU.
    pub driver: String,
    /// Compute capability such as `9.0`; empty on a CPU.
    pub compute: String,
}

/// Written once, by the coordinator, when it commits a job's outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The job.
    pub job: JobKey,
    /// Its stage.
    pub stage: Stage,
    /// What it made, by name: see [`output_names`].
    pub outputs: BTreeMap<String, BlobRef>,
    /// The jobs whose outputs it read.
    pub upstream: Vec<JobKey>,
    /// Who computed it.
    pub worker: WorkerId,
    /// On what.
    pub device: DeviceFacts,
    /// Under which lease.
    pub lease: LeaseId,
    /// At which try.
    pub attempt: Attempt,
    /// When this attempt's lease was granted.
    pub started: Timestamp,
    /// When the coordinator committed it.
    pub finished: Timestamp,
}

/// Names of outputs, the contract between the stages.
pub mod output_names {
    /// The adapter a train job makes.
    pub const ADAPTER: &str = "adapter.safetensors";
    /// The scores a score job makes: one [`crate::score::ScoreTable`] as JSON.
    pub const SCORES: &str = "scores.json";

    /// The class image (from 0) that a class_images job makes.
    pub fn class_image(number: usize) -> String {
        format!("class/{number:04}.png")
    }

    /// The image (from 0) of the bare class word that a sample job makes.
    pub fn prior_image(number: usize) -> String {
        format!("prior/s{number}.png")
    }

    /// The image of a prompt (from 0) and a sample (from 0) that a sample job makes.
    pub fn image(prompt: usize, sample: usize) -> String {
        format!("p{prompt:02}/s{sample}.png")
    }
}
