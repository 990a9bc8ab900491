//! Shared nouns and pure functions of `vico`: no tensors, no sockets.
//!
//! Bottom up:
//!
//! - [`digest`], [`ids`], [`clock`]: names, content hashes, time as a value. [`causes`]: errors as text.
//! - [`job`]: stage, state, lease, failure, progress, receipt. [`score`]: the table a score job makes.
//! - [`status`]: what people are shown while a sweep runs.
//! - [`gallery`]: pictures in folders, by whatever tool. [`statistics`]: what a table of scores allows one to say.
//! - [`spec`]: what a job reads, already valid; the digest of it is the job's key.
//! - [`manifest`]: YAML to a valid sweep. [`plan`]: a sweep to keyed jobs. [`report`]: receipts to tables.
//! - [`probes`]: the pages that probes and scrapers ask for. [`traffic`]: what they are told of the bucket.
//!   [`traces`]: what happened to a job, for OpenTelemetry.
//! - [`store`]: the bucket, the only durable thing. [`protocol`]: the wire, and the only place that sees it.
//!
//! Invariants: a job whose receipt exists is done; a key depends on nothing but [`spec::JobInputs`]; `object_store` is
//! used in [`store`] only, `serde_yaml` in [`manifest`] only, generated wire types in [`protocol`] only.

pub mod causes;
pub mod clock;
pub mod digest;
pub mod gallery;
pub mod ids;
pub mod job;
pub mod manifest;
pub mod plan;
pub mod probes;
pub mod protocol;
pub mod report;
pub mod score;
pub mod spec;
pub mod statistics;
pub mod status;
pub mod store;
pub mod traces;
pub mod traffic;
