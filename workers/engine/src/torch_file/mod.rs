//! PyTorch's `.pt`, `.bin` and `.ckpt` files, reading and writing: dictionaries of tensors, texts and numbers, nothing else.
//!
//! A pickle is a program for a small machine that can call any function of the Python that reads it. Ours cannot call
//! anything: it knows the instructions that `torch.save` writes for plain data, and the few names that stand for tensors and
//! dictionaries. Any other name or instruction is refused and named. Sizes, depth and the number of values are limited, so that no
//! file can take more memory than a small multiple of its own size.
//!
//! A file is in memory as a whole. `read` makes all of its values at once, as for an adapter; a `StateDict` takes out one tensor
//! after another, as for a network.

mod calls;
mod cursor;
mod elements;
mod machine;
mod node;
mod opened;
mod reader;
mod state_dict;
mod value;
mod writer;
mod zip;

pub(crate) use elements::Elements;
pub(crate) use reader::read;
pub(crate) use state_dict::StateDict;
pub(crate) use value::{Dict, Integers, Value};
pub(crate) use writer::write;

/// Whether the bytes begin as a file of `torch.save` does since PyTorch 1.6.
pub(crate) fn is_archive(bytes: &[u8]) -> bool {
    zip::Archive::is_one(bytes)
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The container is not what `torch.save` writes.
    #[error("{0}")]
    Container(String),
    /// The container is the one that PyTorch had before.
    #[error(
        "it was written by PyTorch before 1.6, or with its old format; load it in PyTorch and save it again"
    )]
    Old,
    /// The file asks for something that is neither a tensor nor plain data.
    #[error(
        "it asks Python for `{0}`, which is not needed for tensors; nothing of it was run (save it again as a plain dictionary of tensors)"
    )]
    Name(String),
    /// The program inside is malformed or larger than any adapter's or network's.
    #[error("instruction at byte {at} of data.pkl: {reason}")]
    Program {
        /// Where it stands.
        at: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor that cannot be had.
    #[error("a tensor {0}")]
    Tensor(String),
    /// The file holds something else than a network's tensors by name.
    #[error("it is no network's state dict: {0} (save `network.state_dict()` alone)")]
    NoStateDict(String),
    /// Candle could not make the tensor.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// Why a file could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// It is more than a file can hold.
    #[error("{0}")]
    TooLarge(String),
    /// A tensor could not be read from its device.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}
