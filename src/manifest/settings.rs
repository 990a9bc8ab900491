//! A valid sweep: what a manifest says once every default is filled in. Locations are still as written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{ConceptId, MethodId, PromptSetId};
use crate::job::Resources;
use crate::spec::{MethodSpec, Precision, PromptSpec, SamplingSpec};

/// One point of the matrix with its settings.
#[derive(Clone, Debug)]
pub struct Point {
    /// What this point sets, in the order of the axes; empty without a matrix.
    pub assignments: Vec<Assignment>,
    /// Everything it asks for.
    pub settings: Arc<Settings>,
}

/// One axis at one value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Assignment {
    /// The axis: a key path, `sampling.guidance`.
    pub path: String,
    /// Whom it concerns.
    pub scope: Scope,
    /// How labels write it: `guidance=5`. Safe in file names.
    pub label: String,
}

/// Whom an axis concerns; for all others it does not multiply.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Every run.
    All,
    /// Runs of this method.
    Method(String),
    /// Runs of this concept.
    Concept(String),
}

impl Scope {
    /// Whether runs of this method and concept are concerned.
    pub fn concerns(&self, method: &MethodId, concept: &ConceptId) -> bool {
        match self {
            Self::All => true,
            Self::Method(id) => id == method.as_str(),
            Self::Concept(id) => id == concept.as_str(),
        }
    }
}

/// What one point of the matrix asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The untouched network.
    pub base: BaseModel,
    /// Concepts by id.
    pub concepts: BTreeMap<ConceptId, Concept>,
    /// A folder whose folders are concepts.
    pub concepts_from: Option<ConceptsFrom>,
    /// Prompt sets by id.
    pub prompt_sets: BTreeMap<PromptSetId, PromptSet>,
    /// Methods by id.
    pub methods: BTreeMap<MethodId, MethodSpec>,
    /// Seed of every draw in training.
    pub train_seed: u64,
    /// How images are drawn.
    pub sampling: SamplingSpec,
    /// What is measured; `None` for nothing.
    pub metrics: Option<Metrics>,
    /// What jobs need of their workers.
    pub resources: StageResources,
    /// Train steps between two checkpoints.
    pub checkpoint_every: u32,
}

/// A folder in the diffusers layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseModel {
    /// Location of the folder.
    pub model: String,
    /// `fp16` and the like; `None` for the plain files.
    pub variant: Option<String>,
    /// What the frozen U-Net is kept in; `None` for what its files hold, and on a CPU f32.
    pub precision: Option<Precision>,
}

/// Whether something lives. Prompt sets choose by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConceptKind {
    /// A thing, or a plush animal.
    Object,
    /// A living animal.
    Live,
}

/// The thing being personalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concept {
    /// Where its reference images lie.
    pub images: Images,
    /// The words for it.
    pub words: Words,
}

/// The words for a concept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// `teddy bear`.
    pub class: String,
    /// A single CLIP token that the placeholder starts from, `bear`.
    pub initializer: String,
    /// The new word, `*`.
    pub placeholder: String,
    /// Whether it lives; prompt sets with `for: {kind: …}` skip concepts without.
    pub kind: Option<ConceptKind>,
}

/// Where reference images lie; locations already start at `storage.inputs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Images {
    /// Every image in a folder.
    Folder(String),
    /// These files.
    Files(Vec<String>),
}

/// How folders become concepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FolderLayout {
    /// One folder per concept, named as the concept, with its images right inside.
    Folders,
    /// DreamBench's `dataset/`: the same, with the classes in `prompts_and_classes.txt`; cats and dogs live.
    Dreambench,
    /// CustomConcept101 as its repository has it, with the photos in `benchmark_dataset/`: `dataset.json` names folder,
    /// class and prompt file of each concept. Folders that it does not name are left alone.
    #[serde(rename = "customconcept101")]
    CustomConcept101,
}

/// A folder whose folders are concepts, named as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConceptsFrom {
    /// How the folder is laid out.
    pub layout: FolderLayout,
    /// Location of the folder.
    pub uri: String,
    /// `None`: what the layout says, else the folder's name in words, `brown_dog2` → `brown dog`.
    pub class: Option<String>,
    /// `None`: what `initializers` has for the last word of the class, else that word itself.
    pub initializer: Option<String>,
    /// Words that classes' last words are replaced by, because they are no single CLIP tokens.
    pub initializers: BTreeMap<String, String>,
    /// The new word.
    pub placeholder: String,
    /// Whether they live; `None`: what the layout says.
    pub kind: Option<ConceptKind>,
}

impl ConceptsFrom {
    /// Location of the folder whose folders hold the photos.
    pub fn photos(&self) -> String {
        match self.layout {
            FolderLayout::Folders | FolderLayout::Dreambench => self.uri.clone(),
            FolderLayout::CustomConcept101 => self.inside("benchmark_dataset"),
        }
    }

    /// Location of the text file with the classes, where the layout has one.
    pub fn class_list(&self) -> Option<String> {
        match self.layout {
            FolderLayout::Folders => None,
            FolderLayout::Dreambench => Some(self.inside("prompts_and_classes.txt")),
            FolderLayout::CustomConcept101 => Some(self.inside("dataset.json")),
        }
    }

    /// Location of the folder with each concept's own prompts, where the layout has them.
    pub fn prompt_folder(&self) -> Option<String> {
        match self.layout {
            FolderLayout::Folders | FolderLayout::Dreambench => None,
            FolderLayout::CustomConcept101 => Some(self.inside("prompts")),
        }
    }

    fn inside(&self, name: &str) -> String {
        format!("{}/{name}", self.uri.trim_end_matches('/'))
    }
}

/// Prompts and the concepts they are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptSet {
    /// The prompts, or where they are.
    pub prompts: Prompts,
    /// Only for concepts of this kind.
    pub kind: Option<ConceptKind>,
}

/// Prompts, each with one `{}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompts {
    /// Written in the manifest, or built in.
    Listed(Vec<PromptSpec>),
    /// Lines of a text file at this location.
    File(String),
}

/// What is measured and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Names of metric protocols, sorted, at least one.
    pub protocols: Vec<String>,
    /// Location of the CLIP model's folder.
    pub clip: String,
    /// Location of the DINO model's folder.
    pub dino: String,
    /// Location of the folder of LPIPS's weights, where it is to be measured.
    pub lpips: Option<String>,
}

/// What jobs of each stage need of their worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageResources {
    /// For class_images jobs.
    pub class_images: Resources,
    /// For train jobs.
    pub train: Resources,
    /// For sample jobs.
    pub sample: Resources,
    /// For score jobs.
    pub score: Resources,
}

/// What happens when attempts fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// How long to wait between them.
    pub backoff: Backoff,
}

/// A sweep's place among others that want the same workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scheduling {
    /// Sweeps of higher priority go first; those of lower priority get what is left, which may be nothing.
    #[schemars(range(min = -1000, max = 1000))]
    pub priority: i32,
    /// Among sweeps of equal priority: one with twice the share has twice as many jobs running.
    #[schemars(range(min = 1, max = 1000))]
    pub share: u32,
    /// How many of its jobs may run at once; no limit where absent.
    #[schemars(range(min = 1))]
    pub max_running: Option<u32>,
}

impl Default for Scheduling {
    fn default() -> Self {
        Self {
            priority: 0,
            share: 1,
            max_running: None,
        }
    }
}

/// Exponential back-off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// After the first failure.
    pub initial: Duration,
    /// Growth per further failure, at least 1.
    pub factor: f64,
    /// Never longer than this.
    pub max: Duration,
}
