//! CLIP-T, CLIP-I and DINO-I, as named and versioned protocols.
//!
//! A number without its protocol is worthless: published tables differ by more than the methods they compare,
//! because each script resizes, normalises and words prompts in its own way. So:
//!
//! * a [`Protocol`] fixes preprocessing, text and comparison, and prints them as a signature beside every number;
//! * [`Evaluators`] turn pictures and texts into [`Features`]; a feature never depends on what else was in a batch;
//! * scores are pure functions of features, in f64.
//!
//! [`Lpips`] is a distance between pictures, for how much samples of a prompt differ.

mod evaluators;
mod features;
mod files;
mod health;
mod lpips;
mod metric;
mod preprocess;
mod protocol;
mod score;

pub use evaluators::{EvaluatorDirs, Evaluators, Views};
pub use features::{Features, ImageFeatures, cosines};
pub use files::FileFormat;
pub use health::{Duplicates, diversity, is_first_choice, mean_cosine, share_above};
pub use lpips::{Appearance, Diversity, Lpips};
pub use metric::Metric;
pub use preprocess::{ClipView, DinoView, clip_pixels, dino_pixels};
pub use protocol::{Protocol, References, UnknownProtocol};
pub use score::{Oracle, Scores, real_vs_real, score_images};

/// Features that cannot be compared, or a text that cannot be measured with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The values are not rows of the width claimed.
    #[error("{values} values are not rows of width {width}")]
    NotRows {
        /// Number of values.
        values: usize,
        /// Width of a row.
        width: usize,
    },
    /// A row has no direction: it holds NaN or infinities, or only zeros.
    #[error("feature {row} is not finite or all zero")]
    NoDirection {
        /// Which row.
        row: usize,
    },
    /// Two sets are of different networks.
    #[error("features of width {left} and {right} cannot be compared")]
    WidthMismatch {
        /// Width on one side.
        left: usize,
        /// Width on the other.
        right: usize,
    },
    /// Nothing to average over.
    #[error("no {0} to compare with")]
    Empty(&'static str),
    /// The same pictures must have features of both networks.
    #[error("{clip} CLIP features but {dino} DINO features")]
    CountMismatch {
        /// Pictures with CLIP features.
        clip: usize,
        /// Pictures with DINO features.
        dino: usize,
    },
    /// A text that CLIP would read only the beginning of.
    #[error(
        "{protocol} compares with `{text}`, which has {tokens} tokens; CLIP reads at most {most} (77 with its two ends)"
    )]
    TextTooLong {
        /// The protocol, whose script refuses it.
        protocol: Protocol,
        /// The prompt as the protocol words it.
        text: String,
        /// How many tokens it has, begin and end not counted.
        tokens: usize,
        /// How many fit.
        most: usize,
    },
}
