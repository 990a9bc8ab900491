//! From a text to the place it names, and the rule that no key leaves it.

use std::path::{Path, PathBuf};

use url::Url;

use super::Error;

const SCHEMES: &str = "a local path, file://, s3://, gs:// or az://";

/// Where a bucket or a folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// On this machine; absolute.
    Local(PathBuf),
    /// In an object store: `prefix` is the folder inside the bucket, empty for all of it.
    Remote { kind: Remote, url: Url, prefix: String },
}

/// The services that can be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remote {
    S3,
    Gcs,
    Azure,
}

impl Location {
    /// Reads a local path or a URL.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return local(text, Path::new(text));
        };
        if scheme == "file" {
            let url = Url::parse(text).map_err(|error| Error::bad_url(text, error.to_string()))?;
            let path = url
                .to_file_path()
                .map_err(|()| Error::bad_url(text, "a file URL looks like file:///folder"))?;
            return local(text, &path);
        }
        let kind = match scheme {
            "s3" => Remote::S3,
            "gs" => Remote::Gcs,
            "az" => Remote::Azure,
            _ => {
                return Err(Error::bad_url(
                    text,
                    format!("`{scheme}://` is not supported; use {SCHEMES}"),
                ));
            }
        };
        remote(kind, text, rest)
    }

    /// Makes a local folder where there is none.
    pub(super) async fn create_folder(&self) -> Result<(), Error> {
        match self {
            Self::Local(path) => tokio::fs::create_dir_all(path)
                .await
                .map_err(Error::io("create", path)),
            Self::Remote { .. } => Ok(()),
        }
    }
}

fn local(text: &str, path: &Path) -> Result<Location, Error> {
    std::path::absolute(path)
        .map(Location::Local)
        .map_err(|error| Error::bad_url(text, error.to_string()))
}

fn remote(kind: Remote, text: &str, rest: &str) -> Result<Location, Error> {
    if rest.contains('@') {
        // Not repeated in the message: what is before the @ may be a secret.
        return Err(Error::bad_url(
            &format!("{}…", &text[..text.len() - rest.len()]),
            "credentials belong in the environment, not in a URL",
        ));
    }
    if rest.contains(['?', '#']) {
        return Err(Error::bad_url(
            text,
            "a bucket's URL has no query and no fragment",
        ));
    }
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    if bucket.is_empty() {
        return Err(Error::bad_url(text, "the bucket's name is missing"));
    }
    if !prefix.is_empty() {
        check_key(prefix)?;
    }
    let url = Url::parse(text).map_err(|error| Error::bad_url(text, error.to_string()))?;
    let prefix = prefix.to_owned();
    Ok(Location::Remote { kind, url, prefix })
}

/// Checks that a key stays below its prefix and can be stored everywhere.
pub(super) fn check_key(key: &str) -> Result<(), Error> {
    let refuse = |reason| {
        Err(Error::PathEscapes {
            path: key.to_owned(),
            reason,
        })
    };
    if key.len() > 1024 {
        return refuse("it has more than 1,024 bytes");
    }
    for segment in key.split('/') {
        match segment {
            "" => return refuse("it is absolute, or a part of it is empty"),
            "." | ".." => return refuse("`.` and `..` are not allowed"),
            _ if segment.contains(|c: char| c.is_control() || c == '\\') => {
                return refuse("control characters and backslashes are not allowed");
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_sorted_by_scheme() {
        let parse = |text: &str| Location::parse(text).expect(text);
        assert_eq!(parse("/data/x y"), Location::Local("/data/x y".into()));
        assert_eq!(parse("file:///data/x%20y"), Location::Local("/data/x y".into()));
        assert!(matches!(parse("bucket"), Location::Local(path) if path.is_absolute()));
        let Location::Remote { kind, prefix, .. } = parse("s3://b/folder/deep/") else {
            panic!("s3 is remote");
        };
        assert_eq!((kind, prefix.as_str()), (Remote::S3, "folder/deep"));
    }

    #[test]
    fn bad_urls_are_refused_with_a_reason() {
        for bad in [
            "ftp://host/x",
            "s3://",
            "s3:///x",
            "s3://b/../other",
            "s3://b/a/./c",
            "s3://b/a//c",
            "s3://b/x?versionId=1",
            "file://host/x",
        ] {
            assert!(Location::parse(bad).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn a_secret_in_a_url_is_refused_and_not_repeated() {
        let error = Location::parse("s3://AKIA:hush@bucket/x").expect_err("refused");
        assert!(!error.to_string().contains("hush"), "{error}");
    }

    #[test]
    fn keys_cannot_leave_their_prefix() {
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "a/",
            ".",
            "a\\b",
            "a\nb",
        ] {
            assert!(check_key(bad).is_err(), "{bad:?} was accepted");
        }
        for good in ["a", "a/b c/ü (1).jpg", "..a/b..", "50%25.png"] {
            assert!(check_key(good).is_ok(), "{good:?} was refused");
        }
    }
}
