//! Textual Inversion, DreamBooth, Custom Diffusion and LoRA on the tiny model of the fixtures.

#![expect(clippy::unwrap_used, reason = "tests")]

mod adapters;
mod augmentation;
mod low_rank;
mod precision;
mod rig;
mod training;
