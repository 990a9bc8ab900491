//! The manifest as it is written: plain structs, whose JSON Schema is the first check of every manifest.
//!
//! No tagged, untagged or flattened enums: the schema must say for every key path what may stand there. Ranges and words
//! are part of the schema, so that editors show them; what needs more than one value is checked in [`super::check`].

mod concepts;
mod methods;
mod metrics;
mod prompts;
mod running;
mod sampling;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use concepts::{OneOrMany, RawConcept, RawConceptDefaults, RawConceptsFrom};
pub(crate) use methods::{RawLr, RawMethod, RawPrior};
pub(crate) use metrics::RawMetrics;
pub(crate) use prompts::RawPromptSet;
pub(crate) use running::{RawDemand, RawResources, RawRetry};
pub(crate) use sampling::RawSampling;

use super::settings::Scheduling;
use crate::spec::Precision;

/// A sweep: concepts × methods × matrix points, drawn and scored alike.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "vico manifest")]
pub(crate) struct RawManifest {
    /// Version of the manifest's form.
    #[schemars(extend("enum" = [1]))]
    pub version: u32,
    /// Name of the sweep: letters, digits, `.`, `_`, `-`.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// For people and their scripts.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The untouched network.
    pub base: RawBase,
    /// Where relative locations start.
    #[serde(default)]
    pub storage: RawStorage,
    /// What concepts have in common.
    #[serde(default)]
    pub concept_defaults: RawConceptDefaults,
    /// Things to personalise, by id.
    #[serde(default)]
    pub concepts: BTreeMap<String, RawConcept>,
    /// A folder whose folders are concepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concepts_from: Option<RawConceptsFrom>,
    /// Lists of prompts, by id; not for concepts that bring their own.
    #[serde(default)]
    pub prompt_sets: BTreeMap<String, RawPromptSet>,
    /// Configured methods, by id.
    #[schemars(extend("minProperties" = 1))]
    pub methods: BTreeMap<String, RawMethod>,
    /// Seed of every draw in training.
    #[serde(default)]
    pub train_seed: u64,
    /// Key paths and the values they take; every axis multiplies. Only stages that read a value run again for it.
    #[serde(default)]
    pub matrix: BTreeMap<String, Vec<Scalar>>,
    /// How images are drawn.
    #[serde(default)]
    pub sampling: RawSampling,
    /// What is measured, and with what.
    #[serde(default)]
    pub metrics: RawMetrics,
    /// What jobs need of their workers.
    #[serde(default)]
    pub resources: RawResources,
    /// What happens when attempts fail.
    #[serde(default)]
    pub retry: RawRetry,
    /// The sweep's place among others that want the same workers.
    #[serde(default)]
    pub scheduling: Scheduling,
}

/// Text, a number, or true/false.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Scalar(pub serde_json::Value);

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "number", "boolean"]})
    }
}

/// The base model.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBase {
    /// Folder in the diffusers layout: `s3://…`, `gs://…`, `az://…`, `file:///…`, or a path.
    pub model: String,
    /// Which set of weight files, e.g. `fp16`; the plain files without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What the frozen U-Net is kept in; without, on a GPU what its files hold, and on a CPU f32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
}

/// Where relative locations start.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStorage {
    /// Where reference images lie; the manifest's own folder without.
    #[serde(default)]
    pub inputs: String,
}
