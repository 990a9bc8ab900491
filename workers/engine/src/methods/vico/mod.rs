//! ViCo (arXiv 2306.00971): a learned word S* and an image cross-attention that looks at a reference photo, on a frozen
//! Stable Diffusion.
//!
//! A second, *reference* branch pushes the clean latents of another photo through the same U-Net at the same time step
//! with the same text. Where the official code and the paper differ, the code is followed, except that with more than
//! one sample per batch every sample has its own attention map (the official code uses the first sample's for all).

pub mod branches;
pub mod ica;
pub mod learned;
pub mod otsu;
pub mod parameters;
pub mod pass;
pub mod reference;
pub mod regulariser;
pub mod sample;

mod dataset;
mod spec;
mod train;

pub use learned::METHOD;
pub(crate) use learned::USE_MASK;
pub use sample::sample;
pub use spec::VicoSpec;
pub use train::train;
