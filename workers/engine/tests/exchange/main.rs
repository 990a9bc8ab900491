//! Adapters as other programs keep them: out and in again, names, refusals.
#![expect(clippy::unwrap_used, reason = "tests")]

mod contents;
mod folders;
mod hostile;
mod names;
mod refusals;
mod rig;
mod round_trips;
