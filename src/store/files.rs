//! A folder of this machine as an object store.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path as FsPath, PathBuf};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// The library's word for itself in errors, by which they are known for those of a folder.
pub(super) const LIBRARY: &str = "LocalFileSystem";

/// As the library has it, but for copies. There a copy is a second name of the same file, and who edits it changes the
/// original; here it is a file of its own. Its bytes never pass through this process's memory: adapters have gigabytes.
#[derive(Debug)]
pub(super) struct Files(LocalFileSystem);

impl Files {
    /// `root` must exist.
    pub(super) fn open(root: &FsPath) -> Result<Self> {
        let files = LocalFileSystem::new_with_prefix(root)?;
        // A receipt must not outlive a power cut that its blobs do not survive.
        Ok(Self(files.with_fsync(true)))
    }
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Files {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.0.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        if options.mode == CopyMode::Create {
            return Err(Error::NotImplemented {
                operation: "`copy_opts` with mode `CopyMode::Create`".to_owned(),
                implementer: self.to_string(),
            });
        }
        let path = from.to_string();
        let (from, to) = (self.0.path_to_filesystem(from)?, self.0.path_to_filesystem(to)?);
        let copied = tokio::task::spawn_blocking(move || match File::open(&from) {
            Ok(mut original) => copy(&mut original, &to).map_err(generic),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::NotFound {
                path,
                source: error.into(),
            }),
            Err(error) => Err(generic(error)),
        });
        copied.await.map_err(generic)?
    }
}

fn generic(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic {
        store: LIBRARY,
        source: Box::new(source),
    }
}

/// Whoever looks at `to` sees the whole copy or what was there before; on failure nothing is left beside it.
fn copy(original: &mut File, to: &FsPath) -> io::Result<()> {
    let folder = to.parent().unwrap_or(to);
    create_folders(folder)?;
    let (mut staged, path) = stage(to)?;
    let copied = io::copy(original, &mut staged)
        .and_then(|_| staged.sync_all())
        .and_then(|()| fs::rename(&path, to));
    if copied.is_err() {
        // Best effort: the error at hand is the one worth reporting.
        drop(fs::remove_file(&path));
    }
    copied?;
    sync_folder(folder)
}

/// A new file beside `to`, of a name as the library gives to its own: it passes over them when it lists.
fn stage(to: &FsPath) -> io::Result<(File, PathBuf)> {
    let mut number = 1_u32;
    loop {
        let mut name = to.as_os_str().to_owned();
        name.push(format!("#{number}"));
        match File::create_new(&name) {
            // Another copy is under way, or one was cut off.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            created => return created.map(|file| (file, name.into())),
        }
    }
}

/// With what is above it; each is as durable as a file in it is to be.
fn create_folders(folder: &FsPath) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(above) = folder.parent() else {
        return fs::create_dir(folder);
    };
    create_folders(above)?;
    match fs::create_dir(folder) {
        // Somebody else was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        created => created?,
    }
    sync_folder(above)
}

fn sync_folder(folder: &FsPath) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use object_store::ObjectStoreExt;
    use tempfile::TempDir;

    use super::*;

    fn names(folder: &FsPath) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    async fn copied(folder: &TempDir, from: &str, to: &str) -> Result<()> {
        let files = Files::open(folder.path()).unwrap();
        let [from, to] = [from, to].map(|key| Path::parse(key).unwrap());
        files.copy(&from, &to).await
    }

    #[tokio::test]
    async fn a_copy_has_the_same_bytes_and_its_own_file() {
        let folder = TempDir::new().unwrap();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        fs::write(folder.path().join("a"), &bytes).unwrap();
        // What a copy that was cut off has left.
        fs::create_dir_all(folder.path().join("new/folders")).unwrap();
        fs::write(folder.path().join("new/folders/b@x=1 y#1"), "half").unwrap();
        fs::write(folder.path().join("new/folders/b@x=1 y"), "before").unwrap();
        copied(&folder, "a", "new/folders/b@x=1 y").await.unwrap();
        let copy = folder.path().join("new/folders/b@x=1 y");
        assert_eq!(fs::read(&copy).unwrap(), bytes);
        assert_eq!(names(copy.parent().unwrap()).len(), 2);
        copied(&folder, "a", "other/folders/c").await.unwrap();
        fs::write(folder.path().join("other/folders/c"), "scribble").unwrap();
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), bytes);
    }

    #[tokio::test]
    async fn a_copy_that_fails_leaves_nothing() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("a"), "bytes").unwrap();
        // No file can take the place of a folder.
        fs::create_dir_all(folder.path().join("in/the-way")).unwrap();
        let failed = copied(&folder, "a", "in/the-way").await;
        assert!(matches!(failed, Err(Error::Generic { .. })), "{failed:?}");
        assert_eq!(names(&folder.path().join("in")), ["the-way"]);
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_copied() {
        let folder = TempDir::new().unwrap();
        let failed = copied(&folder, "a", "b/c").await;
        assert!(matches!(failed, Err(Error::NotFound { .. })), "{failed:?}");
        assert_eq!(names(folder.path()), [""; 0]);
    }
}
