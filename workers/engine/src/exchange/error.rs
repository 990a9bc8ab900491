//! What can go wrong between this program's adapters and other programs' files.

use std::path::PathBuf;

use super::{Format, Method};
use crate::torch_file::{self, WriteError};
use crate::{tensor_file, weights};

/// A file that cannot be read or made, naming it and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No program keeps adapters of this method that way.
    #[error("there is no format `{format}` for an adapter of `{method}`; there {}", offered(*method))]
    NotOffered {
        /// The adapter's method.
        method: Method,
        /// The format asked for.
        format: Format,
    },
    /// The adapter's header names a method that this program does not have.
    #[error("the adapter was made by `{0}`, which this program does not know")]
    UnknownMethod(String),
    /// An adapter whose tensors are not those of its method.
    #[error("the adapter is not what `{method}` makes: {reason}")]
    Adapter {
        /// Its method.
        method: Method,
        /// What is missing or too much.
        reason: String,
    },
    /// A `.pt`, `.bin` or `.ckpt` file that cannot be read.
    #[error("{file}: {reason}")]
    Pickle {
        /// The file.
        file: String,
        /// Why not.
        reason: torch_file::Error,
    },
    /// A file that is readable but holds something else.
    #[error("{file}: {reason}")]
    Content {
        /// The file, or several.
        file: String,
        /// What it holds and what it should.
        reason: String,
    },
    /// A fact that neither the file nor the user told.
    #[error("{file}: the file does not say {fact}, which an adapter of `{method}` needs; it must be named")]
    Fact {
        /// The file, or several.
        file: String,
        /// The fact.
        fact: &'static str,
        /// The method.
        method: Method,
    },
    /// A fact that the user told of a method that has none such.
    #[error("an adapter of `{method}` has no {fact}")]
    NoSuchFact {
        /// The fact.
        fact: &'static str,
        /// The method.
        method: Method,
    },
    /// Something that only the base model can tell.
    #[error("{0}: this takes the folder of the base model")]
    NeedsBase(String),
    /// More than a format can hold.
    #[error("{0}")]
    TooLarge(String),
    /// A file or folder on this machine.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A base or trained model's weights.
    #[error(transparent)]
    Weights(#[from] weights::Error),
    /// A safetensors file could not be read or made.
    #[error(transparent)]
    TensorFile(#[from] tensor_file::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::TooLarge(reason) => Self::TooLarge(reason),
            WriteError::Candle(error) => Self::Tensor(error),
        }
    }
}

fn offered(method: Method) -> String {
    let names: Vec<String> = method
        .formats()
        .iter()
        .map(|format| format!("`{format}`"))
        .collect();
    match names.as_slice() {
        [only] => format!("is {only}"),
        _ => format!("are {}", names.join(", ")),
    }
}
