//! PyTorch's `.pt`, `.bin` and `.ckpt` files, reading and writing: dictionaries of tensors, texts and numbers, nothing else.
//!
//! A pickle is a program for a small machine that can call any function of the Python that reads it. Ours cannot call
//! anything: it knows the instructions that `torch.save` writes for plain data, and the few names that stand for tensors and
//! dictionaries. Any other name or instruction is refused and named. Sizes, depth and the number of values are limited, so that no
//! file can take more memory than a small multiple of its own size.

mod calls;
mod cursor;
mod machine;
mod node;
mod reader;
mod value;
mod writer;

pub(super) use reader::read;
pub(super) use value::{Dict, Integers, Value};
pub(super) use writer::write;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The container is not what `torch.save` writes.
    #[error("{0}")]
    Container(String),
    /// The file asks for something that is neither a tensor nor plain data.
    #[error(
        "it asks Python for `{0}`, which is not needed for tensors; nothing of it was run (save it again as a plain dictionary of tensors)"
    )]
    Name(String),
    /// The program inside is malformed or larger than any adapter's.
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
    /// Candle could not make the tensor.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}
