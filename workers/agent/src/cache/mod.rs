//! A local folder of blobs named by their digest, with a size limit.
//!
//! - An entry is visible under its name only when it is complete and its digest is right; what is under way lies in
//!   `partial/` and is deleted at the next start.
//! - What an earlier process left is compared with its digest before its first use, and what looks other than when it was
//!   compared is compared again; if it differs it is fetched again.
//! - A file that turns out to be damaged or gone while it is read is forgotten, so that the next who wants it fetches it.
//! - The least recently used entry gives way, but never one that is being read.
//! - Of several that want the same blob at the same time, one fetches and the others wait for it.

mod error;
mod folder;
mod index;
mod room;

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use vico::digest::Digest;
use vico::job::BlobRef;

pub use error::Error;
use folder::Folder;
pub(crate) use folder::{Stamp, measure, stamp};
use index::{Birth, Index};
use room::Room;

/// The cache; clones share it.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: Folder,
    limit: u64,
    index: Mutex<Index>,
    /// One turnstile per blob that somebody wants right now.
    turns: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
}

/// A cached blob. It stays in the cache as long as this value lives.
#[derive(Debug)]
pub struct CachedFile {
    cache: Cache,
    digest: Digest,
    birth: Birth,
    path: PathBuf,
}

impl CachedFile {
    /// Where the bytes lie.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All the bytes, compared with the digest once more.
    ///
    /// # Errors
    /// The file cannot be read, or it is gone or has changed on disk; then the cache has forgotten it.
    pub async fn read(&self) -> Result<Vec<u8>, Error> {
        let read = self.read_as_it_is().await;
        if let Err(error) = &read
            && error.is_damage()
        {
            tracing::warn!(%error, "cache entry is damaged, forgetting it");
            self.cache.forget(&self.digest, self.birth);
        }
        read
    }

    async fn read_as_it_is(&self) -> Result<Vec<u8>, Error> {
        let bytes = tokio::fs::read(&self.path)
            .await
            .map_err(Error::io("read", &self.path))?;
        let got = Digest::of(&bytes);
        if got == self.digest {
            return Ok(bytes);
        }
        let (expected, size) = (self.digest, bytes.len() as u64);
        Err(Error::Corrupt { expected, got, size })
    }
}

impl Drop for CachedFile {
    fn drop(&mut self) {
        self.cache.index().unpin(&self.digest, self.birth);
    }
}

impl Cache {
    /// Opens a folder, creating it if need be, and takes in what lies there already.
    ///
    /// # Errors
    /// The folder cannot be used, or another process uses it.
    pub fn open(dir: &Path, limit: u64) -> Result<Self, Error> {
        let folder = Folder::open(dir)?;
        let mut index = Index::new(limit);
        for (digest, size) in folder.entries()? {
            for evicted in index.adopt(digest, size) {
                folder.delete(&evicted);
            }
        }
        Ok(Self(Arc::new(Inner {
            folder,
            limit,
            index: Mutex::new(index),
            turns: Mutex::default(),
        })))
    }

    /// A folder beside the blobs for what is assembled from them.
    pub fn side_folder(&self, name: &str) -> PathBuf {
        self.0.folder.side(name)
    }

    /// The blob from the cache, or else from `fetch`, which writes it to the path it is given.
    ///
    /// # Errors
    /// `fetch` fails, writes something else, or the disk refuses or has no room.
    pub async fn file<F, E>(
        &self,
        blob: &BlobRef,
        fetch: impl FnOnce(PathBuf) -> F,
    ) -> Result<CachedFile, Error>
    where
        F: Future<Output = Result<(), E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let turn = self.turn(blob.digest);
        let _mine = turn.lock().await;
        if let Some(hit) = self.hit(blob).await {
            return Ok(hit);
        }
        let room = self.reserve(blob)?;
        fetch(room.partial().to_owned())
            .await
            .map_err(|source| Error::Fetch {
                digest: blob.digest,
                source: source.into(),
            })?;
        room.fill(blob).await
    }

    /// The entry, if it is there and right.
    async fn hit(&self, blob: &BlobRef) -> Option<CachedFile> {
        let entry = self.index().pin(&blob.digest)?;
        let file = self.pinned(blob.digest, entry.birth);
        match check(&file, entry.checked).await {
            Ok(stamp) => {
                self.index().set_checked(&blob.digest, entry.birth, stamp);
                Some(file)
            }
            Err(error) if !error.is_damage() => {
                tracing::warn!(%error, "cache entry cannot be looked at");
                Some(file)
            }
            Err(error) => {
                tracing::warn!(%error, "cache entry is damaged, fetching it again");
                self.forget(&blob.digest, entry.birth);
                None
            }
        }
    }

    /// Forgets a damaged entry. Its file goes while the index is locked: nobody can have fetched the next one by then.
    fn forget(&self, digest: &Digest, birth: Birth) {
        let mut index = self.index();
        if index.forget(digest, birth) {
            self.0.folder.delete(digest);
        }
    }

    fn reserve(&self, blob: &BlobRef) -> Result<Room, Error> {
        let evicted = self.index().reserve(blob.size).map_err(|full| Error::NoRoom {
            needed: blob.size,
            free: full.free,
            limit: self.0.limit,
        })?;
        for digest in evicted {
            self.0.folder.delete(&digest);
        }
        let partial = self.0.folder.partial(&blob.digest);
        Ok(Room::new(self.clone(), blob.size, partial))
    }

    fn pinned(&self, digest: Digest, birth: Birth) -> CachedFile {
        CachedFile {
            cache: self.clone(),
            digest,
            birth,
            path: self.0.folder.path(&digest),
        }
    }

    /// The turnstile of a blob, made if nobody waits there.
    fn turn(&self, digest: Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = lock(&self.0.turns);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(&digest).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(digest, Arc::downgrade(&turn));
        turn
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.0.index)
    }
}

/// Looks whether a file is what it should be, and reads it only if it does not look as it did when that was `checked`.
async fn check(file: &CachedFile, checked: Option<Stamp>) -> Result<Stamp, Error> {
    let stamp = stamp(&file.path).map_err(Error::io("read", &file.path))?;
    if checked == Some(stamp) {
        return Ok(stamp);
    }
    let (got, size) = measure(&file.path).await?;
    if got == file.digest {
        return Ok(stamp);
    }
    let expected = file.digest;
    Err(Error::Corrupt { expected, got, size })
}

/// The data behind these locks is valid between any two statements, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
