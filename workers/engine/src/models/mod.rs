//! The networks, each owned line by line: ViCo needs attention maps, two streams, per-sample timesteps, injected
//! embeddings and gradients that ready-made modules cut without a word.
//!
//! Every model keeps the weight names of its publisher, so a file is read without a mapping table.

pub mod alexnet;
pub mod clip;
pub mod clip_text;
pub mod encoder;
pub(crate) mod interpolate;
pub mod layers;
mod patches;
mod settings;
pub mod unet;
pub mod vae;
pub mod vit;

/// A model, or the reason why its weights do not make one.
pub(crate) type Loaded<T> = Result<T, crate::weights::Error>;
