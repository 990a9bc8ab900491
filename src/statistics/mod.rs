//! What a table of scores allows one to say: means with intervals, and differences between methods with p values.
//!
//! The unit of inference is the concept, because images of one concept are not independent. Pure functions of numbers;
//! whatever is drawn at random is a function of [`SEED`].

mod bootstrap;
mod holm;
mod paired;
mod sign_flip;
mod spread;

pub use bootstrap::{Interval, RESAMPLES, SEED, interval};
pub use holm::holm;
pub use paired::{Paired, Tally};
pub use sign_flip::{MOST_ENUMERATED, sign_flip};
pub use spread::{mean, standard_deviation, within_groups};

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
