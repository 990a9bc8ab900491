//! The operators of every network, on candle's graph.
//!
//! A parameter that candle does not track is *frozen*: the operator that uses it owns it, so the parameter is no
//! node of the graph and a gradient for it can be neither computed nor stored. A tracked parameter (a variable, or
//! something computed from one) is *trained*: the operator has it as an operand beside its input, and gives gradients to
//! those of its operands that are tracked. Callers choose by what they pass, never by a flag.
//!
//! On a CPU the operators work on slices of f32 with the `gemm` crate and rayon; work is cut by shape alone, so a
//! result has the same bits for any number of threads. On another device they run candle's own operations, on
//! detached tensors where all parameters are frozen. Activations are f32 everywhere; a frozen matrix may be bf16 on a CPU
//! and any float elsewhere, which is met inside.

mod activation;
mod add;
mod attention;
mod by_candle;
mod chain;
mod checkpoint;
mod conv2d;
#[cfg(feature = "cuda")]
mod cuda;
mod geglu;
mod gemm;
mod group_norm;
mod handed;
mod im2col;
mod layer_norm;
mod linear;
mod moments;
mod op;
mod packed_linear;
mod product;
mod trained;
mod transpose;
mod turn;
mod upsample;
mod wide;
mod winograd;

#[cfg(test)]
mod bf16_tests;
#[cfg(test)]
mod both_paths;

pub use activation::{gelu_erf, quick_gelu, silu};
pub use add::add;
pub use attention::{Mask, attention, attention_bf16, attention_columns};
pub use chain::Chain;
pub use checkpoint::checkpoint;
pub use conv2d::{Conv2dGeometry, conv2d};
pub use geglu::geglu;
pub use group_norm::{GroupNormSpec, group_norm};
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use packed_linear::PackedLinear;
pub use trained::is_trained;
pub use upsample::upsample_nearest;
