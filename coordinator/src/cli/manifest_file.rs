//! A manifest on disk: its bytes, its name in messages, and the folder that relative paths in it start from.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use url::Url;
use vico::manifest::{self, Manifest};
use vico::protocol::ManifestText;

use crate::cli::exit::{Error, Result};

/// The bytes of a manifest and where they came from.
pub(crate) struct ManifestFile {
    /// As the user named it.
    pub(crate) name: String,
    bytes: Vec<u8>,
    folder: PathBuf,
}

impl ManifestFile {
    /// Reads it; a missing file is a usage error.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| {
            let what = format!("{name} cannot be read: {error}");
            Error::usage(what, "name a manifest such as manifests/quickstart.yaml")
        })?;
        let absolute = std::path::absolute(path).with_context(|| format!("{name} has no absolute path"))?;
        let folder = absolute.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Self { name, bytes, folder })
    }

    /// Proves it, or reports every mistake at once.
    pub(crate) fn parse(&self) -> Result<Manifest> {
        manifest::parse(&self.bytes, &self.name).map_err(|errors| Error::Manifest(errors.to_string()))
    }

    /// What a coordinator is given.
    pub(crate) fn text(&self) -> Result<ManifestText> {
        let folder = Url::from_directory_path(&self.folder)
            .map_err(|()| anyhow!("{} has no URL", self.folder.display()))?;
        Ok(ManifestText {
            bytes: self.bytes.clone(),
            origin: folder.to_string(),
            file_name: self.name.clone(),
        })
    }
}
