//! What the protocols measure.

use std::fmt;

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

impl Metric {
    /// The name of its column, below a protocol's.
    pub fn column(self) -> &'static str {
        match self {
            Self::ClipT => "clip_t",
            Self::ClipI => "clip_i",
            Self::DinoI => "dino_i",
        }
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
