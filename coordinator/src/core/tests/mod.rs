//! The brain in tables and in random walks.
#![expect(clippy::unwrap_used, reason = "tests say what they expect")]

mod attempts;
mod commits;
mod copies;
mod fairness;
mod model;
mod placement;
mod random;
mod resubmission;
mod sharing;
mod views;
mod walk;
mod workers;
mod world;
