//! How an adapter is trained and sampled from.
//!
//! A method is a file here, or a folder. It says what is trainable, what the loss of a train step is and what an adapter
//! holds ([`training::Objective`]; for all but ViCo [`learner::Learner`] over one shared loss), and how noise is predicted
//! when sampling ([`sampling::NoisePredictor`]; [`personalised`] for all but ViCo). The train loop, the optimiser, the
//! resumable state and the denoise loop are shared.

pub mod augment;
pub mod custom_diffusion;
pub mod denoising;
pub mod dreambooth;
pub mod learner;
pub mod lora;
pub mod personalised;
pub mod prior;
pub mod recipe;
pub mod sampling;
pub mod templates;
pub mod textual_inversion;
pub mod training;
pub mod vico;
pub mod words;

mod error;
mod low_rank;
mod samples;

pub use error::Error;
pub use personalised::Personalised;
pub use prior::Prior;
pub use recipe::Recipe;

/// What a watcher wants to happen after a train step or a denoise step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Go on.
    Continue,
    /// Stop here; what has been done so far stays valid.
    Stop,
}
