//! Named tensors from files, checked both ways: every tensor a network asks for must be there with the
//! right shape, type and finite values, and every tensor in the files must have been asked for.
//!
//! `.safetensors` files are read tensor by tensor with a seek, so a 3.4 GB U-Net is never in memory twice and no memory map
//! (hence no `unsafe`) is needed. The `.bin` files of PyTorch, which are taken where there are none, are read whole.

mod config;
mod digest;
mod error;
mod finite;
mod layout;
mod low_rank;
mod pickled_file;
mod precision;
mod safetensors_file;
mod set;
mod source;

pub use config::read_config;
pub(crate) use config::read_valid_config;
pub use digest::digest;
pub use error::Error;
pub use low_rank::LowRank;
pub use precision::Precision;
pub(crate) use safetensors_file::metadata;
pub use set::Weights;
