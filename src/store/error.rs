//! What can go wrong between this process and its bucket.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::damage;
use crate::causes::with_causes;
use crate::job::FailureClass;

/// An operation on a bucket or a folder failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is no place that can be opened.
    #[error("cannot open `{url}`: {reason}")]
    BadUrl {
        /// As given, without credentials.
        url: String,
        /// Why not.
        reason: String,
    },
    /// A path would leave its folder, or no store could hold it.
    #[error("the path `{path}` is refused: {reason}")]
    PathEscapes {
        /// As given.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is nothing of that name.
    #[error("{what} does not exist")]
    NotFound {
        /// Key or URL.
        what: String,
    },
    /// Something else holds a name that is given once only.
    #[error("{key} exists already with other content")]
    AlreadyExists {
        /// The key.
        key: String,
    },
    /// The store does not let us.
    #[error("the storage refused access to {key}")]
    Refused {
        /// The key.
        key: String,
        /// What it said.
        source: Source,
    },
    /// No room left, on this machine or in the bucket.
    #[error("no space left to write {key}")]
    DiskFull {
        /// Key or path.
        key: String,
        /// What it said.
        source: Source,
    },
    /// Bytes are not what their name promises.
    #[error("{key} is corrupt: {reason}")]
    Corrupt {
        /// The key.
        key: String,
        /// Expected and found.
        reason: String,
    },
    /// More bytes than are accepted there.
    #[error("{key} has {size} bytes, at most {limit} are accepted")]
    TooLarge {
        /// The key.
        key: String,
        /// Bytes found.
        size: u64,
        /// Bytes accepted.
        limit: u64,
    },
    /// Another coordinator has taken over this bucket.
    #[error(
        "another coordinator (`{by}`, epoch {epoch}) has taken over this bucket; this one is of epoch {own}"
    )]
    Fenced {
        /// Its epoch.
        epoch: u64,
        /// What it calls itself.
        by: String,
        /// Ours.
        own: u64,
    },
    /// An earlier append failed, so nobody knows what the journal holds.
    #[error("the journal takes nothing else before an append that failed has succeeded")]
    JournalBroken,
    /// The store lacks something that vico cannot do without.
    #[error("{url} cannot be used: {reason}")]
    Unsafe {
        /// The bucket.
        url: String,
        /// What it does wrong.
        reason: String,
    },
    /// Input files that cannot work, all of them at once.
    #[error("{}", list_problems(.problems))]
    BadInputs {
        /// One entry a file.
        problems: Vec<BadInput>,
    },
    /// The store does not answer, or answers with an error that may pass.
    #[error("the storage does not work for {key}")]
    Unavailable {
        /// The key.
        key: String,
        /// What it said.
        source: Source,
    },
    /// A file on this machine cannot be read or written.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The error beneath, of whatever library.
pub(super) type Source = Box<dyn std::error::Error + Send + Sync>;

/// An input file that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadInput {
    /// Its path or URL.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.name, self.reason)
    }
}

fn list_problems(problems: &[BadInput]) -> String {
    if let [only] = problems {
        return only.to_string();
    }
    let lines: Vec<String> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    format!("{} inputs cannot be used:{}", problems.len(), lines.concat())
}

impl Error {
    /// How a job that fails because of this is to be treated.
    pub fn failure_class(&self) -> FailureClass {
        match self {
            Self::BadInputs { .. }
            | Self::BadUrl { .. }
            | Self::PathEscapes { .. }
            | Self::TooLarge { .. } => FailureClass::InvalidInput,
            _ => FailureClass::Storage,
        }
    }

    /// What a user can do about it, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Refused { .. } => Some(
                "check the credentials in the environment (AWS_…, GOOGLE_…, AZURE_…), or the folder's permissions",
            ),
            Self::DiskFull { .. } => {
                Some("free some space, or point the bucket or the cache at another disk")
            }
            Self::Fenced { .. } => Some("only one coordinator can own a bucket; stop one of the two"),
            Self::Unsafe { .. } => Some("`vico-coord storage-check` shows what the bucket can do"),
            Self::Corrupt { key, .. } => damage::remedy(key),
            Self::Unavailable { .. } => Some("check the endpoint and the network"),
            _ => None,
        }
    }

    /// All there is to tell, for those who get a message and nothing else: with its causes, and what can be done.
    pub fn in_full(&self) -> String {
        let hint = self.hint().map(|hint| format!(" ({hint})"));
        with_causes(self) + &hint.unwrap_or_default()
    }

    /// Whether it can pass by itself, or by what somebody does about the storage, so that asking again is worth it. What is
    /// damaged or missing stays so until somebody sees to it.
    pub fn can_pass(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::Refused { .. } | Self::DiskFull { .. } | Self::Io { .. }
        )
    }

    /// The same request may well succeed a moment later.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    pub(super) fn bad_url(url: &str, reason: impl Into<String>) -> Self {
        Self::BadUrl {
            url: url.to_owned(),
            reason: reason.into(),
        }
    }

    pub(super) fn corrupt(key: &str, reason: impl Into<String>) -> Self {
        Self::Corrupt {
            key: key.to_owned(),
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_why_and_what_to_do() {
        let error = Error::Unavailable {
            key: "s3://bucket/team/blobs/ab".to_owned(),
            source: io::Error::other("connection refused").into(),
        };
        assert_eq!(
            error.in_full(),
            "the storage does not work for s3://bucket/team/blobs/ab: connection refused \
             (check the endpoint and the network)"
        );
    }
}
