//! The store on every back end that runs here: a local folder, memory, and S3 over HTTP. With `VICO_TEST_BUCKET` set to a bucket's URL (and
//! its credentials in the environment) the same tests run against that service too.
#![expect(clippy::unwrap_used, reason = "tests")]

mod backends;
mod blobs;
mod confinement;
mod damage;
mod garbage;
mod inputs;
mod jobs;
mod journal;
mod journal_faults;
mod models;
mod probe;
mod results;
#[path = "../s3/mod.rs"]
mod s3;
mod snapshots;
mod witness;
