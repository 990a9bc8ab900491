//! What can go wrong in the cache.

use std::path::PathBuf;

use vico::digest::Digest;

/// The local disk or what arrived on it is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("the cache cannot {verb} `{}`", path.display())]
    Io {
        /// What was tried: `read`, `write`, …
        verb: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process works in the same folder.
    #[error("the cache folder `{}` is in use by another worker; give each its own --cache", .0.display())]
    InUse(PathBuf),
    /// All that can be evicted would not make enough room.
    #[error("{needed} bytes do not fit into the cache: {free} of {limit} are free; raise --cache-size")]
    NoRoom {
        /// Size of what was to be fetched.
        needed: u64,
        /// What could be made free.
        free: u64,
        /// The cache's limit.
        limit: u64,
    },
    /// What was fetched, or what lies here, is not what was asked for.
    #[error("blob {expected} has other bytes: {size} of them with digest {got}")]
    Corrupt {
        /// The digest asked for.
        expected: Digest,
        /// The digest of what came.
        got: Digest,
        /// How many bytes came.
        size: u64,
    },
    /// The source of the bytes failed.
    #[error("blob {digest} cannot be fetched")]
    Fetch {
        /// The digest asked for.
        digest: Digest,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    pub(super) fn io(verb: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { verb, path, source }
    }
}

impl Error {
    /// Whether the file is not what it was. Otherwise it may be right, and could only not be looked at.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Corrupt { .. } => true,
            Self::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
            _ => false,
        }
    }
}
