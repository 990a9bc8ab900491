//! What a score means: every choice that changes the number, under one versioned name.

use std::fmt;
use std::str::FromStr;

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
}

/// What is compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// Picture with text, by CLIP.
    ClipT,
    /// Picture with reference images, by CLIP.
    ClipI,
    /// Picture with reference images, by DINO.
    DinoI,
}

/// A protocol name that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown protocol {0:?}, known are {known}", known = Protocol::ALL.map(Protocol::name).join(", "))]
pub struct UnknownProtocol(pub String);

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 3] = [Self::BenchV1, Self::Vico2023, Self::Vico2023Antialiased];

    /// The name in manifests and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::BenchV1 => "bench-v1",
            Self::Vico2023 => "vico-2023",
            Self::Vico2023Antialiased => "vico-2023-aa",
        }
    }

    /// Grows whenever a number under this protocol could change.
    pub fn revision(self) -> u32 {
        1
    }

    /// The text that CLIP-T compares with, from a prompt with `{}` in the concept's place.
    pub fn text(self, prompt: &str, class_word: &str) -> String {
        match self {
            Self::BenchV1 => prompt.replace("{}", class_word),
            Self::Vico2023 | Self::Vico2023Antialiased => prompt.to_owned(),
        }
    }

    /// What to print beside a number: protocol, model, preprocessing, references, aggregation, text, file format.
    ///
    /// `model` is the digest of the network's weights; its first twelve characters are shown. Statistics that are
    /// computed from many cells (counts, intervals) append their own fields.
    pub fn signature(self, metric: Metric, model: &str) -> String {
        let (name, revision) = (self.name(), self.revision());
        let short = model.get(..12).unwrap_or(model);
        let (network, preprocessing) = match metric {
            Metric::ClipT | Metric::ClipI => ("clip", self.clip_preprocessing()),
            Metric::DinoI => ("dino", self.dino_preprocessing()),
        };
        let (references, aggregation, text) = match metric {
            Metric::ClipT => ("-", "image>prompt>concept", self.text_rule()),
            Metric::ClipI | Metric::DinoI => ("all", "image,ref>prompt>concept", "-"),
        };
        format!(
            "proto:{name}.{revision}|m:{network}@b3:{short}|pre:{preprocessing}|ref:{references}|agg:{aggregation}|text:{text}|img:png"
        )
    }

    fn clip_preprocessing(self) -> &'static str {
        match self {
            Self::BenchV1 => "short224c224.bicubic.pillow12.clip",
            Self::Vico2023 => "sq256.bicubic.pillow12.pm1+t224.noaa.clip",
            Self::Vico2023Antialiased => "sq256.bicubic.pillow12.pm1+t224.aa.clip",
        }
    }

    fn dino_preprocessing(self) -> &'static str {
        match self {
            Self::BenchV1 => "short256c224.bicubic.pillow12.imagenet",
            Self::Vico2023 | Self::Vico2023Antialiased => "sq256.bicubic.pillow12.pm1",
        }
    }

    fn text_rule(self) -> &'static str {
        match self {
            Self::BenchV1 => "class",
            Self::Vico2023 | Self::Vico2023Antialiased => "braces",
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

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ClipT => "CLIP-T",
            Self::ClipI => "CLIP-I",
            Self::DinoI => "DINO-I",
        })
    }
}
