//! The manifest as it is written: plain structs, whose JSON Schema is the first check of every manifest.
//!
//! No tagged, untagged or flattened enums: the schema must say for every key path what may stand there. Ranges and words
//! are part of the schema, so that editors show them; what needs more than one value is checked in [`super::check`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::raw_methods::RawMethod;
use super::settings::ConceptKind;
use crate::job::Device;

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
    /// Lists of prompts, by id.
    #[schemars(extend("minProperties" = 1))]
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
}

/// Where relative locations start.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStorage {
    /// Where reference images lie; the manifest's own folder without.
    #[serde(default)]
    pub inputs: String,
}

/// What concepts have in common unless they say otherwise.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawConceptDefaults {
    /// The new word in prompts; a single CLIP token.
    #[schemars(length(min = 1))]
    pub placeholder: String,
    /// The class word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The word that the placeholder starts from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// Whether they live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ConceptKind>,
}

impl Default for RawConceptDefaults {
    fn default() -> Self {
        Self {
            placeholder: "*".to_owned(),
            class: None,
            init: None,
            kind: None,
        }
    }
}

/// A thing to personalise.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawConcept {
    /// A folder of reference images, or a list of image files.
    pub images: OneOrMany,
    /// What it is, in plain words: `teddy bear`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The word that the placeholder starts from, a single CLIP token; the last word of the class without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// Whether it lives; prompt sets choose by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ConceptKind>,
    /// The new word in prompts; a single CLIP token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub placeholder: Option<String>,
}

/// One text or a list of texts, kept as it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct OneOrMany(pub serde_json::Value);

impl JsonSchema for OneOrMany {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OneOrMany".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1})
    }
}

/// How folders become concepts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Layout {
    /// One folder per concept, named as the concept, with its images right inside.
    Folders,
}

/// A folder whose folders are concepts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawConceptsFrom {
    /// How the folder is laid out.
    pub layout: Layout,
    /// The folder; relative to `storage.inputs`.
    pub uri: String,
    /// The class word of all of them; without, each folder's name in words (`brown_dog2` is a `brown dog`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The word that the placeholder starts from; the last word of the class without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// Whether they live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ConceptKind>,
}

/// Prompts from one of three places.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPromptSet {
    /// A list that comes with the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = super::builtin_prompts::names()))]
    pub builtin: Option<String>,
    /// A text file, one prompt per line; empty lines and lines that start with `#` are skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Prompts, with `{}` where the subject goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub prompts: Option<Vec<String>>,
    /// Which concepts these prompts are for; all without.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub applies_to: Option<RawFor>,
}

/// A choice of concepts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFor {
    /// Concepts of this kind.
    pub kind: ConceptKind,
}

/// The samplers there are.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sampler {
    /// Denoising diffusion implicit models (arXiv 2010.02502).
    #[default]
    Ddim,
}

/// How images are drawn; the same for every method.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawSampling {
    /// The sampler.
    pub sampler: Sampler,
    /// Denoise steps.
    #[schemars(range(min = 1, max = 1000))]
    pub steps: u32,
    /// Stochasticity of DDIM; 0 is deterministic.
    #[schemars(range(min = 0, max = 1))]
    pub eta: f64,
    /// Classifier-free guidance scale.
    #[schemars(range(min = 0, max = 1000))]
    pub guidance: f64,
    /// Image side in pixels, in training and sampling; a multiple of 64.
    #[schemars(range(min = 64, max = 2048), extend("multipleOf" = 64))]
    pub size: u32,
    /// Images drawn for each prompt.
    #[schemars(range(min = 1, max = 10000))]
    pub images_per_prompt: u32,
    /// Seeds of the starting noise.
    pub seeds: RawSeeds,
    /// The text of the unconditional half.
    pub negative_prompt: String,
}

impl Default for RawSampling {
    fn default() -> Self {
        Self {
            sampler: Sampler::Ddim,
            steps: 50,
            eta: 0.0,
            guidance: 7.5,
            size: 512,
            images_per_prompt: 8,
            seeds: RawSeeds::default(),
            negative_prompt: String::new(),
        }
    }
}

/// Seeds of the starting noise: a hash of `base`, concept, prompt and sample, the same for every method.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawSeeds {
    /// Changes all of them.
    pub base: u64,
}

/// What is measured, and with what.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawMetrics {
    /// Metric protocols; an empty list measures nothing.
    pub protocols: Vec<Protocol>,
    /// Folder of the CLIP model (ViT-B/32 in published protocols).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<String>,
    /// Folder of the DINO model (ViT-S/16 in published protocols).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dino: Option<String>,
}

impl Default for RawMetrics {
    fn default() -> Self {
        Self {
            protocols: vec![Protocol::BenchV1, Protocol::Vico2023],
            clip: None,
            dino: None,
        }
    }
}

/// The metric protocols there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Protocol {
    /// ImageNet-style preprocessing, prompts with the class word.
    #[serde(rename = "bench-v1")]
    BenchV1,
    /// As ViCo's successors measure.
    #[serde(rename = "vico-2023")]
    Vico2023,
}

impl Protocol {
    /// The name in keys, receipts and columns.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BenchV1 => "bench-v1",
            Self::Vico2023 => "vico-2023",
        }
    }
}

/// What jobs need of their workers, by stage.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawResources {
    /// Train jobs.
    pub train: RawDemand,
    /// Sample jobs.
    pub sample: RawDemand,
    /// Score jobs.
    pub score: RawDemand,
}

/// What a job needs of its worker.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawDemand {
    /// The kind of device.
    pub device: Device,
    /// GPU memory that must be there, `16GiB`; ignored on a CPU.
    #[schemars(extend("examples" = ["16GiB"]))]
    pub vram: String,
}

impl Default for RawDemand {
    fn default() -> Self {
        Self {
            device: Device::Any,
            vram: "0GiB".to_owned(),
        }
    }
}

/// What happens when attempts fail.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawRetry {
    /// Attempts in all.
    #[schemars(range(min = 1, max = 100))]
    pub attempts: u32,
    /// How long to wait between them.
    pub backoff: RawBackoff,
    /// How often training is saved so that another worker can go on, `50 steps`.
    #[schemars(extend("examples" = ["50 steps"]))]
    pub checkpoint_every: String,
}

impl Default for RawRetry {
    fn default() -> Self {
        Self {
            attempts: 4,
            backoff: RawBackoff::default(),
            checkpoint_every: "50 steps".to_owned(),
        }
    }
}

/// Exponential back-off.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawBackoff {
    /// After the first failure, `10s`.
    #[schemars(extend("examples" = ["10s"]))]
    pub initial: String,
    /// Growth per further failure.
    #[schemars(range(min = 1, max = 100))]
    pub factor: f64,
    /// Never longer than this, `5m`.
    #[schemars(extend("examples" = ["5m"]))]
    pub max: String,
}

impl Default for RawBackoff {
    fn default() -> Self {
        Self {
            initial: "10s".to_owned(),
            factor: 2.0,
            max: "5m".to_owned(),
        }
    }
}
