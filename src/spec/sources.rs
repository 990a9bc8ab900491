//! Where the bytes a job reads can be fetched. Not part of any key.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::job::Resources;
use crate::spec::JobInputs;

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSource {
    /// Path below the model's folder, `unet/config.json`.
    pub path: String,
    /// BLAKE3 of its bytes.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
}

/// A model's folder and the files in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSource {
    /// URL of the folder: `file:///…`, `s3://bucket/…`, `gs://…`, `az://…`.
    pub url: String,
    /// Its files, sorted by path.
    pub files: Vec<FileSource>,
}

impl ModelSource {
    /// Digest of the sorted list of (path, digest): the model's identity wherever it lies.
    pub fn identity(&self) -> Result<Digest, serde_json::Error> {
        let files: BTreeMap<&str, Digest> = self.files.iter().map(|f| (f.path.as_str(), f.digest)).collect();
        Digest::of_json(&files)
    }
}

/// Where to fetch what a job reads. Reference images and upstream outputs are blobs of the bucket and need no entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// Models by identity: base model and evaluators.
    pub models: BTreeMap<Digest, Arc<ModelSource>>,
}

/// What a job reads, as it lies in the bucket: written when a sweep is planned, read by workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// What the result depends on; its digest is the job's key.
    pub inputs: JobInputs,
    /// Where to fetch it.
    pub sources: Sources,
    /// What it needs of a worker.
    pub resources: Resources,
    /// Train steps between two checkpoints; 0 for none but at shutdown.
    pub checkpoint_every: u32,
}
