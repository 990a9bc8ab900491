//! Room for a blob that is on its way.

use std::path::{Path, PathBuf};

use vico::job::BlobRef;

use super::{Cache, CachedFile, Error, folder, measure, stamp};

/// Room set aside for a blob that is on its way; given back, with the partial file, unless it arrives.
pub(super) struct Room {
    cache: Cache,
    size: u64,
    partial: PathBuf,
    filled: bool,
}

impl Room {
    /// Room of `size` bytes, which the index has set aside.
    pub(super) fn new(cache: Cache, size: u64, partial: PathBuf) -> Self {
        Self {
            cache,
            size,
            partial,
            filled: false,
        }
    }

    /// Where the bytes belong meanwhile.
    pub(super) fn partial(&self) -> &Path {
        &self.partial
    }

    /// Checks what arrived and makes it an entry.
    pub(super) async fn fill(mut self, blob: &BlobRef) -> Result<CachedFile, Error> {
        let stamp = stamp(&self.partial).map_err(Error::io("read", &self.partial))?;
        let (got, size) = measure(&self.partial).await?;
        if got != blob.digest || size != blob.size {
            let expected = blob.digest;
            return Err(Error::Corrupt { expected, got, size });
        }
        self.cache.0.folder.accept(&self.partial, &blob.digest)?;
        let birth = self.cache.index().commit(blob.digest, blob.size, stamp);
        self.filled = true;
        Ok(self.cache.pinned(blob.digest, birth))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !self.filled {
            self.cache.index().cancel(self.size);
            folder::discard(&self.partial);
        }
    }
}
