//! ViCo on the tiny Stable Diffusion of the fixtures: gradients, training, sampling, and the traps of its specification.

#![expect(clippy::unwrap_used, reason = "tests")]

mod gradients;
mod precision;
mod sampling;
mod tiny;
mod training;
mod traps_of_the_model;
mod traps_of_the_recipe;
