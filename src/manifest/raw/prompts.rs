//! Prompt sets as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::manifest::builtin_prompts;
use crate::manifest::settings::ConceptKind;

/// Prompts from one of three places.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPromptSet {
    /// A list that comes with the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = builtin_prompts::names()))]
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
