//! Stable Diffusion v1, ViCo and its baselines, and the networks that score pictures: tensors only.
//!
//! Nothing here knows a job, a lease, a store or a network. From the bottom up:
//!
//! * [`kernels`] — the operators, each in a frozen form that passes gradients to its input only;
//! * [`torch_file`] — what `torch.save` wrote, read without running anything of it;
//! * [`weights`] — named tensors from files, every one checked, every one used or reported;
//! * [`models`] — U-Net, VAE, CLIP and DINO over the kernels, with the weight names of their publishers;
//! * [`tokenizer`], [`image`] — words and pixels in the exact form the models were trained on;
//! * [`diffusion`] — noise schedule, seeded noise, sampler;
//! * [`tensor_file`] — what training leaves behind, as bytes that depend on the content alone;
//! * [`base_model`], [`adapter`] — what is frozen and what personalisation adds to it;
//! * [`methods`] — how an adapter is trained and sampled from;
//! * [`exchange`] — adapters as other programs keep them;
//! * [`metrics`] — CLIP-T, CLIP-I and DINO-I;
//! * [`memory`] — what the allocator does between tensors.

pub mod adapter;
pub mod base_model;
pub mod diffusion;
pub mod exchange;
pub mod image;
pub mod kernels;
pub mod memory;
pub mod methods;
pub mod metrics;
pub mod models;
pub mod tensor_file;
pub mod tokenizer;
pub mod torch_file;
pub mod weights;

mod error;
mod files;

pub use error::{Error, Result};
