//! A worker as a whole, against a coordinator over gRPC and a bucket in a folder.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(unreachable_pub, reason = "modules of a test binary")]

mod commits;
mod engine;
mod engines;
mod folder;
mod methods;
mod photos;
mod pipeline;
mod refusals;
mod session;
mod support;
mod terminate;
mod texts;
