//! What people are shown.

mod job;
mod sweep;
mod worker;
