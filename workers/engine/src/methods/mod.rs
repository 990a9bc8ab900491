//! How an adapter is trained and sampled from.
//!
//! A method is a folder here. It says what is trainable, what the loss of a train step is and what an adapter holds
//! ([`training::Objective`]), and how noise is predicted when sampling ([`sampling::NoisePredictor`]). The train
//! loop, the optimiser, the resumable state and the denoise loop are shared.

pub mod sampling;
pub mod training;
pub mod vico;

mod error;

pub use error::Error;

/// What a watcher wants to happen after a train step or a denoise step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Go on.
    Continue,
    /// Stop here; what has been done so far stays valid.
    Stop,
}
