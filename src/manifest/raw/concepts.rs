//! Concepts as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::manifest::settings::{ConceptKind, FolderLayout};

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

/// A folder whose folders are concepts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawConceptsFrom {
    /// How the folder is laid out.
    pub layout: FolderLayout,
    /// The folder; relative to `storage.inputs`.
    pub uri: String,
    /// The class word of all of them; without, each folder's name in words (`brown_dog2` is a `brown dog`), or what the
    /// data set's own list says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The word that the placeholder starts from; the last word of the class without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// The words that placeholders start from, by the last word of the class, where that one is no single CLIP token:
    /// `{plushie: toy}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inits: BTreeMap<String, String>,
    /// Whether they live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ConceptKind>,
}
