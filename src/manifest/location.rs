//! Where things lie, as written in a manifest, and the URL that it means.

use url::Url;

/// The URL of the folder that relative locations start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Url);

/// A text that is no URL of a folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the URL of a folder, such as file:///data/bench/ or s3://bucket/bench/")]
pub struct InvalidOrigin(pub String);

const SCHEMES: [&str; 8] = ["file", "s3", "s3a", "gs", "az", "azure", "abfs", "abfss"];

impl std::str::FromStr for Origin {
    type Err = InvalidOrigin;
    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let url = Url::parse(text).map_err(|_| InvalidOrigin(text.to_owned()))?;
        if url.cannot_be_a_base() {
            Err(InvalidOrigin(text.to_owned()))
        } else {
            Ok(Self(url))
        }
    }
}

impl Origin {
    /// The absolute URL of a location. Folders and files alike come without a trailing slash.
    pub fn url(&self, location: &str) -> String {
        let mut url = match Url::parse(location) {
            Ok(url) if !url.cannot_be_a_base() => url,
            _ => self.below(location),
        };
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty();
        }
        url.into()
    }

    fn below(&self, path: &str) -> Url {
        let mut url = if path.starts_with('/') && self.0.scheme() != "file" {
            Url::parse("file:///").unwrap_or_else(|_| self.0.clone())
        } else {
            self.0.clone()
        };
        if let Ok(mut segments) = url.path_segments_mut() {
            if path.starts_with('/') {
                segments.clear();
            }
            segments.pop_if_empty();
            for part in path.split('/') {
                match part {
                    "" | "." => {}
                    ".." => drop(segments.pop()),
                    part => drop(segments.push(part)),
                }
            }
        }
        url
    }
}

/// A location below another, unless it stands on its own.
pub(crate) fn join(folder: &str, location: &str) -> String {
    if folder.is_empty() || location.starts_with('/') || has_scheme(location) {
        location.to_owned()
    } else {
        format!("{}/{location}", folder.trim_end_matches('/'))
    }
}

/// Whether a location names one image file and not a folder.
pub(crate) fn is_image_file(location: &str) -> bool {
    let extension = location
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| matches!(extension.as_str(), "jpg" | "jpeg" | "png"))
}

fn has_scheme(location: &str) -> bool {
    location.contains("://")
}

/// Why a location cannot be used, and what to do.
pub(crate) fn check(location: &str) -> Result<(), (String, Option<String>)> {
    if location.trim().is_empty() {
        return Err(("the location is empty".to_owned(), None));
    }
    if location.starts_with('~') {
        return Err((
            "`~` is not expanded".to_owned(),
            Some("write the whole path".to_owned()),
        ));
    }
    if location.chars().any(char::is_control) {
        return Err(("the location has control characters".to_owned(), None));
    }
    if has_scheme(location) {
        check_url(location)
    } else {
        Ok(())
    }
}

fn check_url(location: &str) -> Result<(), (String, Option<String>)> {
    let scheme = location.split("://").next().unwrap_or_default();
    if !SCHEMES.contains(&scheme) {
        let help = "copy it to a bucket (`s3://`, `gs://`, `az://`) or a folder first";
        return Err((format!("`{scheme}://` cannot be read"), Some(help.to_owned())));
    }
    let url = Url::parse(location).map_err(|error| (format!("`{location}` is not a URL: {error}"), None))?;
    if url.password().is_some() || (!url.username().is_empty() && !scheme.starts_with("abfs")) {
        let help = "take credentials from the environment; a manifest is stored and shown";
        return Err(("the URL carries a secret".to_owned(), Some(help.to_owned())));
    }
    if url.query().is_some() {
        return Err((
            "the URL carries a query".to_owned(),
            Some("name the folder or the object alone".to_owned()),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(origin: &str, location: &str) -> Option<String> {
        origin.parse::<Origin>().ok().map(|origin| origin.url(location))
    }

    #[test]
    fn relative_locations_start_at_the_origin() {
        let cases = [
            ("file:///home/me/", "images/duck/", "file:///home/me/images/duck"),
            ("file:///home/me/", "./a/../b", "file:///home/me/b"),
            ("file:///home/me/", "../x y#z", "file:///home/x%20y%23z"),
            ("file:///home/me/", "/data", "file:///data"),
            ("s3://bench/runs", "a", "s3://bench/runs/a"),
            ("s3://bench/runs", "/mnt/a", "file:///mnt/a"),
            ("s3://bench/runs", "gs://other/b/", "gs://other/b"),
        ];
        for (origin, location, expected) in cases {
            assert_eq!(
                url(origin, location).as_deref(),
                Some(expected),
                "{origin} + {location}"
            );
        }
    }

    #[test]
    fn secrets_and_foreign_schemes_are_refused() {
        let wrong = [
            "",
            "~/x",
            "https://host/x",
            "s3://key:secret@bucket/x",
            "s3://b/x?sig=1",
            "a\nb",
            "s3://",
        ];
        for location in wrong {
            assert!(
                check(location).is_err() || location == "s3://",
                "{location:?} was accepted"
            );
        }
        for location in [
            "a/b",
            "/a",
            "s3://b/x",
            "file:///x",
            "abfs://container@account.host/x",
        ] {
            assert_eq!(check(location), Ok(()), "{location:?}");
        }
    }
}
