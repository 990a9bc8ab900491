//! The Kubernetes manifests, rendered: what the API server's types would lose, what refers to nothing, what may do too much, and
//! whether our programs start with exactly what they say.
//!
//! `.ci/kubernetes` renders every overlay, checks it against the schemas of the oldest and newest version that is claimed, and
//! runs these tests. There is no API server in them: admission, scheduling and controllers are not proven.
#![expect(clippy::unwrap_used, reason = "tests")]

mod metrics;
#[path = "../processes/mod.rs"]
mod processes;
mod programs;
mod references;
mod rendered;
mod round_trip;
mod security;
