//! The wire: conversions between generated types and the domain, refusals, the two clients and the options they take.
//!
//! Generated types stop here and at the coordinator's `rpc`: clients take and return domain types. What arrives is
//! checked field by field; a peer's nonsense is an [`InvalidMessage`], never a panic.

mod client;
mod connect;
mod convert;
mod status;

pub use client::{
    ClientError, Identity, JobLog, LeasesClient, ManifestText, Submitted, SweepWatch, SweepsClient, Target,
    TlsFiles, Token,
};
pub use connect::Connect;
pub use convert::InvalidMessage;
pub use status::{Refusal, RefusalKind};

/// The header of an answer that says which version answered.
pub const VERSION_HEADER: &str = "vico-version";

/// Bytes of one message at most, in both directions. Documents travel through the bucket, so control fits easily; a
/// sweep's full list of jobs is the largest.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a manifest at most.
pub const MAX_MANIFEST_BYTES: usize = 1024 * 1024;
