//! Blobs: immutable bytes named by their digest, compared with it whenever they are read.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::retry::retrying;
use super::{Error, Store, layout, transfer};
use crate::digest::Digest;
use crate::job::BlobRef;

impl Store {
    /// Stores bytes under their digest; bytes that are there already are not sent again.
    pub async fn put_blob(&self, bytes: Bytes) -> Result<BlobRef, Error> {
        let digest = Digest::of(&bytes);
        let size = bytes.len() as u64;
        let blob = BlobRef { digest, size };
        let key = layout::blob(blob.digest);
        retrying(async || {
            if self.has_blob_once(&blob).await? {
                return Ok(());
            }
            self.upload_bytes(&key, &bytes).await
        })
        .await?;
        Ok(blob)
    }

    /// Stores a file of this machine under its digest, in parts where it is large.
    pub async fn put_blob_file(&self, file: &Path) -> Result<BlobRef, Error> {
        let blob = transfer::digest_file(file).await?;
        let key = layout::blob(blob.digest);
        retrying(async || {
            if self.has_blob_once(&blob).await? {
                return Ok(());
            }
            self.upload_file(&key, file, blob.digest).await
        })
        .await?;
        Ok(blob)
    }

    /// Whether the blob is there with the right size. Its bytes are compared when they are read.
    pub async fn has_blob(&self, blob: &BlobRef) -> Result<bool, Error> {
        retrying(async || self.has_blob_once(blob).await).await
    }

    async fn has_blob_once(&self, blob: &BlobRef) -> Result<bool, Error> {
        let head = self.objects.head_once(&layout::blob(blob.digest)).await?;
        Ok(head.is_some_and(|object| object.size == blob.size))
    }

    /// The blob of that digest, with its size; `None` where there is none.
    pub async fn find_blob(&self, digest: Digest) -> Result<Option<BlobRef>, Error> {
        let head = self.objects.head(&layout::blob(digest)).await?;
        Ok(head.map(|object| BlobRef {
            digest,
            size: object.size,
        }))
    }

    /// Reads a blob into memory and compares it with its digest.
    pub async fn blob(&self, blob: &BlobRef) -> Result<Bytes, Error> {
        let key = layout::blob(blob.digest);
        self.check_size(&key, blob).await?;
        let bytes = transfer::download_bytes(&self.objects, &key, blob.size).await?;
        check_digest(&key, blob.digest, Digest::of(&bytes))?;
        Ok(bytes)
    }

    /// Writes a blob to `file` and compares it with its digest; on failure nothing is left there.
    pub async fn blob_to_file(&self, blob: &BlobRef, file: &Path) -> Result<(), Error> {
        let key = layout::blob(blob.digest);
        self.check_size(&key, blob).await?;
        let found = transfer::download_to(&self.objects, &key, blob.size, file).await?;
        let checked = check_digest(&key, blob.digest, found);
        if checked.is_err() {
            drop(tokio::fs::remove_file(file).await);
        }
        checked
    }

    /// The file that holds a blob, where the bucket is a folder on this machine. It must not be changed.
    pub fn blob_path(&self, digest: Digest) -> Option<PathBuf> {
        self.objects.root().map(|root| root.join(layout::blob(digest)))
    }

    async fn check_size(&self, key: &str, blob: &BlobRef) -> Result<(), Error> {
        let head = self.objects.head(key).await?;
        let what = || Error::NotFound { what: key.to_owned() };
        let found = head.ok_or_else(what)?.size;
        if found == blob.size {
            return Ok(());
        }
        Err(Error::corrupt(
            key,
            format!("{} bytes expected, {found} found", blob.size),
        ))
    }
}

pub(super) fn check_digest(key: &str, expected: Digest, found: Digest) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::corrupt(
        key,
        format!("digest {expected} expected, {found} found"),
    ))
}
