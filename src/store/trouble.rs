//! From the errors of the file system and of the library beneath to ours.

use std::io;
use std::path::PathBuf;

use super::Error;
use super::error::Source;
use super::files::LIBRARY;
use crate::causes::with_causes;

impl Error {
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
                source: said(refused),
            },
            other => Self::of_other(key, other),
        }
    }

    fn of_other(key: String, error: object_store::Error) -> Self {
        let local = matches!(&error, object_store::Error::Generic { store, .. } if *store == LIBRARY);
        match trouble_beneath(&error) {
            Some(Trouble::Full) => Self::DiskFull {
                key,
                source: said(error),
            },
            Some(Trouble::Refused) => Self::Refused {
                key,
                source: said(error),
            },
            None if local => Self::Io {
                action: "use",
                path: key.into(),
                source: io::Error::other(error),
            },
            None => Self::Unavailable {
                key,
                source: said(error),
            },
        }
    }
}

/// What the library says. Its URLs hold no secrets, but the document that an S3-like service may add to a refusal repeats
/// parts of the request, an expired session token for one: of that only the code and the message are told.
fn said(error: object_store::Error) -> Source {
    match without_document(&with_causes(&error)) {
        Some(text) => text.into(),
        None => error.into(),
    }
}

fn without_document(text: &str) -> Option<String> {
    let begin = text.find("<?xml").or_else(|| text.find("<Error"))?;
    let (before, document) = text.split_at(begin);
    let part = |name: &str| {
        let (_, rest) = document.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(part, _)| part)
    };
    let parts: Vec<&str> = [part("Code"), part("Message")].into_iter().flatten().collect();
    Some(before.to_owned() + &parts.join(": "))
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
            store: LIBRARY,
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

    #[test]
    fn what_a_service_repeats_of_a_request_is_not_told() {
        let document = "<?xml version=\"1.0\"?>\n<Error><Code>ExpiredToken</Code>\
            <Message>The provided token has expired.</Message><Token-0>hush</Token-0></Error>";
        let error = object_store::Error::PermissionDenied {
            path: "k".to_owned(),
            source: format!("status code: 403 Forbidden: {document}").into(),
        };
        let told = with_causes(&Error::of_store("s3://bucket/k", error));
        assert!(
            told.starts_with("the storage refused access to s3://bucket/k: "),
            "{told}"
        );
        let gist = "403 Forbidden: ExpiredToken: The provided token has expired.";
        assert!(told.ends_with(gist), "{told}");
    }
}
