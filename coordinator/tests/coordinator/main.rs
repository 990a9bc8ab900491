//! A real coordinator over a real folder and real gRPC; only the workers pretend.
#![expect(clippy::unwrap_used, reason = "tests say what they expect")]

mod audit_trail;
mod bench;
mod copies;
mod crashes;
mod dashboard;
mod failures;
mod fake_worker;
mod five_methods;
mod happy_path;
mod metrics;
mod pki;
mod polling;
mod refusals;
mod resubmission;
mod security;
