//! A place that is only read: input images, prompt files, models.

use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::blobs::check_digest;
use super::listing::Object;
use super::location::Location;
use super::objects::Objects;
use super::{Access, Error, connect, transfer};
use crate::digest::Digest;
use crate::spec::FileSource;

/// A folder somewhere, for reading. Clones share the connections.
#[derive(Clone)]
pub struct Folder {
    pub(super) objects: Objects,
}

/// A file in a [`Folder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Path below the folder, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Changes whenever the bytes do, as far as the place can tell (entity tag, or time of change and size).
    pub version: String,
}

impl Folder {
    /// Opens the folder at `url`, which is written as for [`super::Store::open`]. A local folder must exist.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, &Access::from_env()).await
    }

    /// As [`Folder::open`], with settings that win over the environment's.
    pub async fn open_with(url: &str, access: &Access) -> Result<Self, Error> {
        let location = Location::parse(url)?;
        if let Location::Local(path) = &location
            && !tokio::fs::metadata(path).await.is_ok_and(|found| found.is_dir())
        {
            let what = format!("the folder {}", path.display());
            return Err(Error::NotFound { what });
        }
        let objects = connect::connect(&location, access)?;
        Ok(Self { objects })
    }

    /// Where the folder is, as an absolute URL without credentials.
    pub fn url(&self) -> &str {
        self.objects.url()
    }

    /// All files below the folder, sorted by path.
    pub async fn files(&self) -> Result<Vec<FileEntry>, Error> {
        let objects = self.objects.list("").await?;
        Ok(objects.into_iter().map(entry).collect())
    }

    /// The files directly in the folder, sorted by name.
    pub async fn top_files(&self) -> Result<Vec<FileEntry>, Error> {
        let (objects, _) = self.objects.list_level("").await?;
        Ok(objects.into_iter().map(entry).collect())
    }

    /// One file's size and version; `None` where there is none.
    pub async fn file(&self, path: &str) -> Result<Option<FileEntry>, Error> {
        Ok(self.objects.head(path).await?.map(entry))
    }

    /// Names of the folders directly inside, sorted; hidden ones are left out.
    pub async fn folders(&self) -> Result<Vec<String>, Error> {
        let (_, mut names) = self.objects.list_level("").await?;
        names.retain(|name| !name.starts_with('.'));
        Ok(names)
    }

    /// A folder inside this one.
    pub fn subfolder(&self, name: &str) -> Result<Self, Error> {
        let objects = self.objects.below(name)?;
        Ok(Self { objects })
    }

    /// Reads a file of at most `limit` bytes.
    pub async fn read(&self, path: &str, limit: u64) -> Result<Bytes, Error> {
        self.objects.get(path, limit).await
    }

    /// Writes a file of known digest to `to`; on failure nothing is left there.
    pub async fn download(&self, file: &FileSource, to: &Path) -> Result<(), Error> {
        let found = transfer::download_to(&self.objects, &file.path, file.size, to).await?;
        let checked = check_digest(&self.objects.name(&file.path), file.digest, found);
        if checked.is_err() {
            drop(tokio::fs::remove_file(to).await);
        }
        checked
    }

    /// The digest of a file, read once from end to end.
    pub async fn digest(&self, file: &FileEntry) -> Result<Digest, Error> {
        transfer::digest(&self.objects, &file.path, file.size).await
    }

    /// The file itself, where the folder is on this machine. Fails where `path` would leave the folder.
    pub fn local_path(&self, path: &str) -> Result<Option<PathBuf>, Error> {
        self.objects.file(path)
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Folder({})", self.url())
    }
}

fn entry(object: Object) -> FileEntry {
    FileEntry {
        path: object.key,
        size: object.size,
        version: object.version,
    }
}
