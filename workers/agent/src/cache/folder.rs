//! The cache's folder: `blobs/<2 hex>/<64 hex>`, `partial/`, and a lock that keeps other processes out.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use vico::digest::{Digest, Digester};

use super::Error;

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// Numbers the partial files of this process.
    serial: AtomicU64,
    /// Held for as long as the folder is in use.
    _lock: File,
}

impl Folder {
    pub(super) fn open(root: &Path) -> Result<Self, Error> {
        for part in ["blobs", "partial"] {
            let path = root.join(part);
            fs::create_dir_all(&path).map_err(Error::io("create", path))?;
        }
        let path = root.join("lock");
        let lock = File::create(&path).map_err(Error::io("create", &path))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => Error::InUse(root.to_owned()),
            fs::TryLockError::Error(source) => Error::io("lock", path)(source),
        })?;
        for left_over in list(&root.join("partial"))? {
            discard(&left_over);
        }
        let root = root.to_owned();
        let serial = AtomicU64::new(0);
        Ok(Self {
            root,
            serial,
            _lock: lock,
        })
    }

    /// Blobs left by an earlier process, the longest untouched first.
    pub(super) fn entries(&self) -> Result<Vec<(Digest, u64)>, Error> {
        let mut found: Vec<(SystemTime, Digest, u64)> = Vec::new();
        for shard in list(&self.root.join("blobs"))? {
            for path in list(&shard)? {
                let name = path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .unwrap_or_default();
                let Ok(digest) = name.parse() else {
                    continue;
                };
                let facts = fs::metadata(&path).map_err(Error::io("read", &path))?;
                found.push((
                    facts.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                    digest,
                    facts.len(),
                ));
            }
        }
        found.sort_by_key(|(modified, ..)| *modified);
        Ok(found
            .into_iter()
            .map(|(_, digest, size)| (digest, size))
            .collect())
    }

    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.root.join("blobs").join(&name[..2]).join(name)
    }

    /// A path for a blob under way, never given twice.
    pub(super) fn partial(&self, digest: &Digest) -> PathBuf {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        self.root.join("partial").join(format!("{digest}-{serial}"))
    }

    pub(super) fn side(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Gives a complete partial file its name.
    pub(super) fn accept(&self, partial: &Path, digest: &Digest) -> Result<(), Error> {
        let path = self.path(digest);
        if let Some(shard) = path.parent() {
            fs::create_dir_all(shard).map_err(Error::io("create", shard))?;
        }
        fs::rename(partial, &path).map_err(Error::io("write", path))
    }

    pub(super) fn delete(&self, digest: &Digest) {
        discard(&self.path(digest));
    }
}

/// Deletes a file that nobody needs; one that stays costs room and nothing else, so it is only mentioned.
pub(super) fn discard(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "cannot delete a file of the cache");
        }
        _ => {}
    }
}

/// What a file looks like without reading it: its size, and when it changed last.
pub(crate) type Stamp = (u64, Option<SystemTime>);

/// See [`Stamp`].
pub(crate) fn stamp(path: &Path) -> std::io::Result<Stamp> {
    let facts = fs::metadata(path)?;
    Ok((facts.len(), facts.modified().ok()))
}

/// Digest and size of a file. Runs where blocking is allowed.
pub(crate) async fn measure(path: &Path) -> Result<(Digest, u64), Error> {
    let path = path.to_owned();
    let work = move || hash(&path).map_err(Error::io("read", path));
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|stopped| std::panic::resume_unwind(stopped.into_panic()))
}

fn hash(path: &Path) -> std::io::Result<(Digest, u64)> {
    let mut file = File::open(path)?;
    let mut digester = Digester::default();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((digester.finish(), size));
        }
        digester.update(&buffer[..count]);
        size += count as u64;
    }
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(dir).map_err(Error::io("list", dir))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<Result<_, _>>().map_err(Error::io("list", dir))
}
