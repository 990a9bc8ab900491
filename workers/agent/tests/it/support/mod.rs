//! What the tests of this package share: a coordinator that does as it is told, an engine that follows a script, tiny
//! models, and a bucket in a temporary folder.

pub mod bench;
pub mod coordinator;
pub mod engine;
pub mod tiny;
