//! The brain alone, at sizes and in fleets that no test machine has: what `benches/scale` and `benches/makespan` measure.
//!
//! The brain and its placement are those in service; sweeps, workers, durations and time are made up, from a seed.

mod bound;
mod chance;
mod drill;
mod fleet;
mod mix;
mod replay;
pub(crate) mod staged;

pub use drill::{Drill, Planned};
pub use fleet::{Fleet, Preemption};
pub use mix::Mix;
pub use replay::{Outcome, Replay};
