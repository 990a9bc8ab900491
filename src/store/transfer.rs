//! Moving large objects in parts, so that no request is long and memory stays small.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use object_store::{ObjectStoreExt, WriteMultipart};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::objects::Objects;
use super::{Error, Store};
use crate::digest::{Digest, Digester};
use crate::job::BlobRef;

/// Size of one part. S3 allows no smaller ones than 5 MiB, and at most 10,000 of them: 78 GiB.
const PART: usize = 8 << 20;
const PARTS_IN_FLIGHT: usize = 4;

/// An object's bytes in order, fetched in parts a few at a time.
fn download<'a>(
    objects: &'a Objects,
    key: &'a str,
    size: u64,
) -> impl Stream<Item = Result<Bytes, Error>> + 'a {
    // An empty object has no range to ask for, but it has to be asked for: it may not be there.
    let starts = (0..size.max(1)).step_by(PART);
    stream::iter(starts)
        .map(move |start| async move {
            match size {
                0 => objects.get(key, 0).await,
                _ => objects.get_range(key, start..size.min(start + PART as u64)).await,
            }
        })
        .buffered(PARTS_IN_FLIGHT)
}

/// An object's bytes in memory.
pub(super) async fn download_bytes(objects: &Objects, key: &str, size: u64) -> Result<Bytes, Error> {
    if size <= PART as u64 {
        return objects.get(key, size).await;
    }
    let mut all = BytesMut::new();
    let mut parts = std::pin::pin!(download(objects, key, size));
    while let Some(part) = parts.try_next().await? {
        all.extend_from_slice(&part);
    }
    Ok(all.freeze())
}

/// Writes an object's bytes to `file` and gives their digest.
///
/// On failure nothing is left at `file`.
pub(super) async fn download_to(
    objects: &Objects,
    key: &str,
    size: u64,
    file: &Path,
) -> Result<Digest, Error> {
    let written = write_to(objects, key, size, file).await;
    if written.is_err() {
        // Best effort: the error at hand is the one worth reporting.
        drop(tokio::fs::remove_file(file).await);
    }
    written
}

async fn write_to(objects: &Objects, key: &str, size: u64, file: &Path) -> Result<Digest, Error> {
    let mut digester = Digester::default();
    let mut out = tokio::fs::File::create(file)
        .await
        .map_err(Error::io("create", file))?;
    let mut parts = std::pin::pin!(download(objects, key, size));
    while let Some(part) = parts.try_next().await? {
        digester.update(&part);
        out.write_all(&part).await.map_err(Error::io("write", file))?;
    }
    out.sync_all().await.map_err(Error::io("write", file))?;
    Ok(digester.finish())
}

/// The digest of an object, without keeping its bytes.
pub(super) async fn digest(objects: &Objects, key: &str, size: u64) -> Result<Digest, Error> {
    let mut digester = Digester::default();
    let mut parts = std::pin::pin!(download(objects, key, size));
    while let Some(part) = parts.try_next().await? {
        digester.update(&part);
    }
    Ok(digester.finish())
}

/// Digest and size of a file on this machine.
pub(super) async fn digest_file(file: &Path) -> Result<BlobRef, Error> {
    let mut reader = tokio::fs::File::open(file)
        .await
        .map_err(Error::io("open", file))?;
    let mut digester = Digester::default();
    let mut size = 0;
    loop {
        let part = read_part(&mut reader, file).await?;
        if part.is_empty() {
            let digest = digester.finish();
            return Ok(BlobRef { digest, size });
        }
        size += part.len() as u64;
        digester.update(&part);
    }
}

impl Store {
    /// Uploads a file in parts under `key`; refuses when its bytes are no longer those of `expected`. Nothing is tried again here.
    pub(super) async fn upload_file(&self, key: &str, file: &Path, expected: Digest) -> Result<(), Error> {
        let mut reader = tokio::fs::File::open(file)
            .await
            .map_err(Error::io("open", file))?;
        let mut upload = self.start_upload(key).await?;
        match self.send_parts(&mut reader, file, &mut upload, key).await {
            Ok(digest) if digest == expected => self.finish_upload(upload, key).await,
            Ok(digest) => {
                drop(upload.abort().await);
                let reason = format!("it changed while it was read, from {expected} to {digest}");
                Err(Error::corrupt(&file.display().to_string(), reason))
            }
            Err(error) => {
                drop(upload.abort().await);
                Err(error)
            }
        }
    }

    /// Writes bytes under `key`: in one request where they are few, else in parts. Nothing is tried again here.
    pub(super) async fn upload_bytes(&self, key: &str, bytes: &Bytes) -> Result<(), Error> {
        if bytes.len() <= 2 * PART {
            return self.objects.put_once(key, bytes).await;
        }
        let mut upload = self.start_upload(key).await?;
        for start in (0..bytes.len()).step_by(PART) {
            if let Err(error) = upload.wait_for_capacity(PARTS_IN_FLIGHT).await {
                drop(upload.abort().await);
                return Err(self.objects.sort(key, error));
            }
            upload.put(bytes.slice(start..bytes.len().min(start + PART)));
        }
        self.finish_upload(upload, key).await
    }

    async fn start_upload(&self, key: &str) -> Result<WriteMultipart, Error> {
        let path = self.objects.path(key)?;
        let upload = self.objects.raw().put_multipart(&path).await;
        let upload = upload.map_err(|error| self.objects.sort(key, error))?;
        Ok(WriteMultipart::new_with_chunk_size(upload, PART))
    }

    async fn send_parts(
        &self,
        reader: &mut tokio::fs::File,
        file: &Path,
        upload: &mut WriteMultipart,
        key: &str,
    ) -> Result<Digest, Error> {
        let mut digester = Digester::default();
        loop {
            let part = read_part(reader, file).await?;
            if part.is_empty() {
                return Ok(digester.finish());
            }
            digester.update(&part);
            let room = upload.wait_for_capacity(PARTS_IN_FLIGHT).await;
            room.map_err(|error| self.objects.sort(key, error))?;
            upload.put(part);
        }
    }

    /// Makes the object visible; until then nobody sees any of it.
    async fn finish_upload(&self, upload: WriteMultipart, key: &str) -> Result<(), Error> {
        let finished = upload.finish().await;
        finished.map(drop).map_err(|error| self.objects.sort(key, error))
    }
}

/// The next [`PART`] bytes, fewer at the end, none after it.
async fn read_part(reader: &mut tokio::fs::File, file: &Path) -> Result<Bytes, Error> {
    let mut part = Vec::with_capacity(PART);
    let read = reader.take(PART as u64).read_to_end(&mut part).await;
    read.map_err(Error::io("read", file))?;
    Ok(part.into())
}
