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
    /// Folder with LPIPS's weights, `model.safetensors`; with them `health/diversity_lpips` is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lpips: Option<String>,
}

impl Default for RawMetrics {
    fn default() -> Self {
        Self {
            protocols: vec![Protocol::BenchV1, Protocol::Vico2023],
            clip: None,
            dino: None,
            lpips: None,
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
    /// The same under torchvision 0.17 and later, whose tensor resize antialiases.
    #[serde(rename = "vico-2023-aa")]
    Vico2023Antialiased,
    /// As DreamBooth's followers measure.
    #[serde(rename = "dreambooth-2023")]
    DreamBooth2023,
    /// As Textual Inversion's evaluator measures: CLIP alone.
    #[serde(rename = "textual-inversion")]
    TextualInversion,
    /// As Custom Diffusion's evaluator measures: text times 2.5.
    #[serde(rename = "customconcept101")]
    CustomConcept101,
    /// As DreamBench++ measures: one reference, times 100; its DINO column needs a DINO with patches of 8.
    #[serde(rename = "dreambench-plus")]
    DreamBenchPlus,
}

impl Protocol {
    /// The name in keys, receipts and columns.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BenchV1 => "bench-v1",
            Self::Vico2023 => "vico-2023",
            Self::Vico2023Antialiased => "vico-2023-aa",
            Self::DreamBooth2023 => "dreambooth-2023",
            Self::TextualInversion => "textual-inversion",
            Self::CustomConcept101 => "customconcept101",
            Self::DreamBenchPlus => "dreambench-plus",
        }
    }
}
