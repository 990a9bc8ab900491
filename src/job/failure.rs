//! Why an attempt failed, in words users read, and what the coordinator does next.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The class of a failure, decided where the error is born.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The lease ran out: the worker died, hung or lost the network.
    WorkerLost,
    /// The device or the machine had too little memory.
    OutOfMemory,
    /// The object store refused or failed, the local disk is full, or files of a model are not on the machine.
    Storage,
    /// The attempt made no progress for too long.
    Timeout,
    /// A loss, gradient or image became NaN or infinite.
    NanLoss,
    /// The inputs cannot work: a broken image, weights of other shapes, a prompt too long.
    InvalidInput,
    /// The worker is too old or too new for this job.
    VersionMismatch,
    /// A user asked for it.
    Cancelled,
    /// A bug in the worker: the attempt panicked or broke an invariant.
    Internal,
}

/// What a failure of some class calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Another worker should try, if there is one.
    RetryElsewhere,
    /// No attempt can help.
    GiveUp,
}

impl FailureClass {
    /// All classes.
    pub const ALL: [Self; 9] = [
        Self::WorkerLost,
        Self::OutOfMemory,
        Self::Storage,
        Self::Timeout,
        Self::NanLoss,
        Self::InvalidInput,
        Self::VersionMismatch,
        Self::Cancelled,
        Self::Internal,
    ];

    /// What to do about it.
    pub fn remedy(self) -> Remedy {
        match self {
            Self::WorkerLost
            | Self::OutOfMemory
            // It may be this machine's disk or its way to the bucket.
            | Self::Storage
            | Self::Timeout
            | Self::VersionMismatch
            | Self::Internal => Remedy::RetryElsewhere,
            Self::NanLoss | Self::InvalidInput | Self::Cancelled => Remedy::GiveUp,
        }
    }

    /// The word used in manifests, files, messages and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorkerLost => "worker_lost",
            Self::OutOfMemory => "out_of_memory",
            Self::Storage => "storage",
            Self::Timeout => "timeout",
            Self::NanLoss => "nan_loss",
            Self::InvalidInput => "invalid_input",
            Self::VersionMismatch => "version_mismatch",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no failure class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a failure class")]
pub struct UnknownFailureClass(pub String);

impl std::str::FromStr for FailureClass {
    type Err = UnknownFailureClass;
    fn from_str(word: &str) -> Result<Self, UnknownFailureClass> {
        let found = Self::ALL.into_iter().find(|class| class.as_str() == word);
        found.ok_or_else(|| UnknownFailureClass(word.to_owned()))
    }
}

/// A failed attempt: its class and one message that says what, where and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The class.
    pub class: FailureClass,
    /// For people.
    pub message: String,
}
