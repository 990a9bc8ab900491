//! What can go wrong between this process and its bucket.

use std::fmt;
use std::io;
use std::path::PathBuf;

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
    #[error("the journal cannot be used after a failed append; open it again")]
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
            Self::Corrupt { .. } => Some("delete the object named above; what made it will be run again"),
            Self::Unavailable { .. } => Some("check the endpoint and the network"),
            _ => None,
        }
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

    /// Sorts a file system error on this machine.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match full_or_refused(source.kind()) {
            Some(Trouble::Full) => Self::DiskFull {
                key: path.display().to_string(),
                source: source.into(),
            },
            _ => Self::Io { action, path, source },
        }
    }

    /// Sorts an error of the library beneath; `key` is what was asked for.
    pub(super) fn of_store(key: &str, error: object_store::Error) -> Self {
        use object_store::Error as Raw;
        let key = key.to_owned();
        match error {
            Raw::NotFound { .. } => Self::NotFound { what: key },
            Raw::AlreadyExists { .. } => Self::AlreadyExists { key },
            Raw::InvalidPath { .. } => Self::PathEscapes {
                path: key,
                reason: "the store cannot hold such a name",
            },
            refused @ (Raw::PermissionDenied { .. } | Raw::Unauthenticated { .. }) => Self::Refused {
                key,
                source: refused.into(),
            },
            other => Self::of_other(key, other),
        }
    }

    fn of_other(key: String, error: object_store::Error) -> Self {
        let local =
            matches!(&error, object_store::Error::Generic { store, .. } if *store == "LocalFileSystem");
        match trouble_beneath(&error) {
            Some(Trouble::Full) => Self::DiskFull {
                key,
                source: error.into(),
            },
            Some(Trouble::Refused) => Self::Refused {
                key,
                source: error.into(),
            },
            None if local => Self::Io {
                action: "use",
                path: key.into(),
                source: io::Error::other(error),
            },
            None => Self::Unavailable {
                key,
                source: error.into(),
            },
        }
    }
}

enum Trouble {
    Full,
    Refused,
}

fn full_or_refused(kind: io::ErrorKind) -> Option<Trouble> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Some(Trouble::Full)
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Some(Trouble::Refused),
        _ => None,
    }
}

/// Looks through the chain of causes for a file system error, or for what S3-like servers say when they are full.
fn trouble_beneath(error: &object_store::Error) -> Option<Trouble> {
    const FULL: [&str; 3] = ["507 Insufficient Storage", "XMinioStorageFull", "QuotaExceeded"];
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(trouble) = current
            .downcast_ref::<io::Error>()
            .and_then(|e| full_or_refused(e.kind()))
        {
            return Some(trouble);
        }
        cause = current.source();
    }
    let text = error.to_string();
    FULL.iter()
        .any(|word| text.contains(word))
        .then_some(Trouble::Full)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(kind: io::ErrorKind) -> Error {
        let error = object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(io::Error::from(kind)),
        };
        Error::of_store("blobs/ab", error)
    }

    #[test]
    fn a_full_disk_is_told_from_a_refusal() {
        assert!(matches!(
            local(io::ErrorKind::StorageFull),
            Error::DiskFull { .. }
        ));
        assert!(matches!(
            local(io::ErrorKind::QuotaExceeded),
            Error::DiskFull { .. }
        ));
        assert!(matches!(
            local(io::ErrorKind::PermissionDenied),
            Error::Refused { .. }
        ));
        assert!(matches!(
            local(io::ErrorKind::ReadOnlyFilesystem),
            Error::Refused { .. }
        ));
        assert!(matches!(local(io::ErrorKind::Other), Error::Io { .. }));
    }

    #[test]
    fn a_full_server_is_told_from_one_that_is_down() {
        let says = |text: &str| {
            let error = object_store::Error::Generic {
                store: "S3",
                source: text.to_owned().into(),
            };
            Error::of_store("k", error)
        };
        assert!(matches!(
            says("status code: 507 Insufficient Storage"),
            Error::DiskFull { .. }
        ));
        assert!(says("status code: 503 Slow Down").is_transient());
    }
}
