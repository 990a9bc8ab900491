//! What a score means: every choice that changes the number, under one versioned name.

use std::fmt;
use std::str::FromStr;

use super::preprocess::{ClipView, DinoView};
use super::{FileFormat, Metric};

/// A named and versioned way to score pictures. Any change to what it computes is a new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// The clean definition: aspect ratio kept, each network's own normalisation, the class word in the text.
    BenchV1,
    /// The ViCo lineage (carried on by DreamMatcher): pictures squeezed to 256 x 256, DINO fed in [-1, 1], the literal
    /// `{}` left in the text, CLIP's tensor resize without antialiasing (torchvision before 0.17).
    Vico2023,
    /// The same script under torchvision 0.17 or later, whose tensor resize antialiases.
    Vico2023Antialiased,
    /// DreamBooth's paper (arXiv 2208.12242, section 4.1), which leaves preprocessing and the wording of prompts open: read
    /// as its followers do, which is what `bench-v1` does too.
    DreamBooth2023,
    /// Textual Inversion's evaluator (`evaluation/clip_eval.py`): CLIP alone, pictures squeezed, the placeholder deleted.
    TextualInversion,
    /// Custom Diffusion's `customconcept101/evaluate.py`: text cosines times 2.5 and never below 0, pictures raw.
    CustomConcept101,
    /// DreamBench++'s `eval_clip.py` and `eval_dino.py`: one reference, everything times 100, DINO with patches of 8.
    DreamBenchPlus,
}

/// Which reference images a protocol looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum References {
    /// All of them.
    All,
    /// The first by name.
    First,
}

impl References {
    fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::First => "first",
        }
    }
}

/// A protocol name that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown protocol {0:?}, known are {known}", known = Protocol::ALL.map(Protocol::name).join(", "))]
pub struct UnknownProtocol(pub String);

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 7] = [
        Self::BenchV1,
        Self::Vico2023,
        Self::Vico2023Antialiased,
        Self::DreamBooth2023,
        Self::TextualInversion,
        Self::CustomConcept101,
        Self::DreamBenchPlus,
    ];

    /// The name in manifests and tables.
    pub fn name(self) -> &'static str {
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

    /// Grows whenever a number under this protocol could change.
    pub fn revision(self) -> u32 {
        1
    }

    /// What it measures with a DINO whose patches have this side. A metric that its script computes with another network is
    /// left out rather than computed with the wrong one.
    pub fn metrics(self, dino_patch: usize) -> Vec<Metric> {
        let dino = match self {
            Self::TextualInversion => false,
            Self::DreamBenchPlus => dino_patch == 8,
            _ => true,
        };
        let all = [Metric::ClipT, Metric::ClipI, Metric::DinoI];
        all.into_iter()
            .filter(|metric| dino || *metric != Metric::DinoI)
            .collect()
    }

    /// How CLIP sees a picture.
    pub fn clip_view(self) -> ClipView {
        match self {
            Self::Vico2023 | Self::TextualInversion => ClipView::Squeezed { antialias: false },
            Self::Vico2023Antialiased => ClipView::Squeezed { antialias: true },
            Self::BenchV1 | Self::DreamBooth2023 | Self::CustomConcept101 | Self::DreamBenchPlus => {
                ClipView::Cropped
            }
        }
    }

    /// How DINO sees a picture; `None` where it is not asked.
    pub fn dino_view(self) -> Option<DinoView> {
        match self {
            Self::TextualInversion => None,
            Self::Vico2023 | Self::Vico2023Antialiased => Some(DinoView::Squeezed),
            Self::BenchV1 | Self::DreamBooth2023 | Self::CustomConcept101 | Self::DreamBenchPlus => {
                Some(DinoView::Cropped)
            }
        }
    }

    /// How many of the reference images it looks at.
    pub fn references(self) -> References {
        match self {
            Self::DreamBenchPlus => References::First,
            _ => References::All,
        }
    }

    /// The number it prints for a mean cosine.
    pub fn scaled(self, metric: Metric, cosine: f64) -> f64 {
        match (self, metric) {
            (Self::CustomConcept101, Metric::ClipT) => (2.5 * cosine).max(0.0),
            (Self::DreamBenchPlus, _) => 100.0 * cosine,
            _ => cosine,
        }
    }

    /// The text that CLIP-T compares with, from a prompt with `{}` in the concept's place.
    pub fn text(self, prompt: &str, class_word: &str) -> String {
        match self {
            Self::BenchV1 | Self::DreamBooth2023 | Self::CustomConcept101 | Self::DreamBenchPlus => {
                prompt.replace("{}", class_word)
            }
            Self::Vico2023 | Self::Vico2023Antialiased => prompt.to_owned(),
            Self::TextualInversion => prompt.replace("{}", ""),
        }
    }

    /// Whether its script has CLIP read the beginning of a text that is too long (`truncate=True`). The others' calls fail over it.
    pub fn cuts_texts(self) -> bool {
        self == Self::CustomConcept101
    }

    /// What to print beside a number: protocol, model, preprocessing, references, aggregation, text, file format.
    ///
    /// `model` is the digest of the network's weights; its first twelve characters are shown. `files` is the format of the pictures
    /// that are scored. Statistics that are computed from many cells (counts, intervals) append their own fields.
    pub fn signature(self, metric: Metric, model: &str, files: FileFormat) -> String {
        self.sign(metric, (model, files), self.references())
    }

    /// The same for what the reference images reach among themselves: all of them, whichever the protocol looks at.
    pub fn oracle_signature(self, metric: Metric, model: &str, files: FileFormat) -> String {
        let signature = self.sign(metric, (model, files), References::All);
        format!("{signature}|real:noself")
    }

    fn sign(self, metric: Metric, (model, files): (&str, FileFormat), references: References) -> String {
        let (name, revision) = (self.name(), self.revision());
        let (short, files) = (short(model), files.name());
        let (network, preprocessing) = match metric {
            Metric::ClipT | Metric::ClipI => ("clip", self.clip_view().name()),
            Metric::DinoI => ("dino", self.dino_view().map_or("-", DinoView::name)),
        };
        let (references, aggregation, text) = match metric {
            Metric::ClipT => ("-", "image>prompt>concept", self.text_rule()),
            Metric::ClipI | Metric::DinoI => (references.name(), "image,ref>prompt>concept", "-"),
        };
        let scale = self.scale_rule(metric);
        format!(
            "proto:{name}.{revision}|m:{network}@b3:{short}|pre:{preprocessing}|ref:{references}|agg:{aggregation}|text:{text}{scale}|img:{files}"
        )
    }

    fn text_rule(self) -> &'static str {
        match self {
            Self::BenchV1 | Self::DreamBooth2023 | Self::CustomConcept101 | Self::DreamBenchPlus => "class",
            Self::Vico2023 | Self::Vico2023Antialiased => "braces",
            Self::TextualInversion => "strip",
        }
    }

    fn scale_rule(self, metric: Metric) -> &'static str {
        match (self, metric) {
            (Self::CustomConcept101, Metric::ClipT) => "|scale:x2.5.max0",
            (Self::DreamBenchPlus, _) => "|scale:x100",
            _ => "",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(name: &str) -> Result<Self, UnknownProtocol> {
        let known = Self::ALL.into_iter().find(|protocol| protocol.name() == name);
        known.ok_or_else(|| UnknownProtocol(name.to_owned()))
    }
}

/// What signatures show of a network's digest.
pub(super) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
