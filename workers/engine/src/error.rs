//! The one error type of the engine's public functions.

use crate::diffusion::schedule;
use crate::{exchange, image, methods, metrics, tensor_file, tokenizer, weights};

/// What can go wrong in the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tensor operation failed: shapes that do not fit, or a device that ran out of memory.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A model directory or weight file is not what the model needs.
    #[error(transparent)]
    Weights(#[from] weights::Error),
    /// A picture could not be read or made.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// The tokenizer's files are missing, unreadable or malformed, or a text could not be encoded.
    #[error(transparent)]
    Tokenizer(#[from] tokenizer::Error),
    /// The noise schedule is missing or unsupported, or the sampler does not fit it.
    #[error(transparent)]
    Schedule(#[from] schedule::Error),
    /// An adapter or training state file is malformed.
    #[error(transparent)]
    TensorFile(#[from] tensor_file::Error),
    /// Features cannot be compared.
    #[error(transparent)]
    Metrics(#[from] metrics::Error),
    /// Training or sampling cannot be done as asked, or its numbers stopped being numbers.
    #[error(transparent)]
    Method(#[from] methods::Error),
    /// Another program's file could not be read or made.
    #[error(transparent)]
    Exchange(#[from] exchange::Error),
}

/// A result whose error is the engine's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
