//! What is measured, as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
