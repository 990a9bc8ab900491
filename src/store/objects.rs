//! Objects by key: the few primitives everything else is made of. Errors name the key; what may pass is tried again.

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::Error;
use super::location::check_key;
use super::retry::retrying;
use super::witnessed::{Witness, Witnessed};

/// All objects below a prefix of some store.
#[derive(Clone, Debug)]
pub(super) struct Objects {
    raw: Arc<dyn ObjectStore>,
    pub(super) prefix: Path,
    url: Arc<str>,
    root: Option<Arc<FsPath>>,
}

impl Objects {
    pub(super) fn remote(raw: Arc<dyn ObjectStore>, prefix: Path, url: &str) -> Self {
        Self {
            raw,
            prefix,
            url: url.into(),
            root: None,
        }
    }

    /// `root` is absolute and exists.
    pub(super) fn local(raw: Arc<dyn ObjectStore>, root: PathBuf) -> Result<Self, Error> {
        let text = root.display().to_string();
        let url = url::Url::from_directory_path(&root)
            .map_err(|()| Error::bad_url(&text, "it has no absolute path"))?;
        Ok(Self {
            raw,
            prefix: Path::ROOT,
            url: url.as_str().trim_end_matches('/').into(),
            root: Some(root.into()),
        })
    }

    /// The same objects; `witness` is told of every request.
    pub(super) fn witnessed(self, witness: Arc<dyn Witness>) -> Self {
        let inner = self.raw;
        let raw = Arc::new(Witnessed { inner, witness });
        Self { raw, ..self }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn root(&self) -> Option<&FsPath> {
        self.root.as_deref()
    }

    pub(super) fn raw(&self) -> &Arc<dyn ObjectStore> {
        &self.raw
    }

    /// A key as people are told it: a path where it is a file of this machine, else a URL.
    pub(super) fn name(&self, key: &str) -> String {
        match (&self.root, key) {
            (Some(root), _) => root.join(key).display().to_string(),
            (None, "") => self.url.to_string(),
            (None, key) => format!("{}/{key}", self.url),
        }
    }

    /// The same store, `folder` deeper.
    pub(super) fn below(&self, folder: &str) -> Result<Self, Error> {
        let path = self.path(folder)?;
        if let Some(root) = &self.root {
            return super::connect::local(&root.join(folder));
        }
        Ok(Self {
            prefix: path,
            url: self.name(folder).into(),
            ..self.clone()
        })
    }

    /// Sorts an error of the library beneath.
    pub(super) fn sort(&self, key: &str, error: object_store::Error) -> Error {
        Error::of_store(&self.name(key), error)
    }

    /// The library's name for a key of ours; the only way to one.
    pub(super) fn path(&self, key: &str) -> Result<Path, Error> {
        check_key(key)?;
        let joined = match self.prefix.as_ref() {
            "" => key.to_owned(),
            prefix => format!("{prefix}/{key}"),
        };
        Path::parse(joined).map_err(|error| self.sort(key, error.into()))
    }

    /// The file of a key, where the store is a folder.
    pub(super) fn file(&self, key: &str) -> Result<Option<PathBuf>, Error> {
        check_key(key)?;
        Ok(self.root.as_ref().map(|root| root.join(key)))
    }

    /// Writes an object, replacing what is there.
    pub(super) async fn put(&self, key: &str, bytes: &Bytes) -> Result<(), Error> {
        retrying(async || self.put_once(key, bytes).await).await
    }

    /// As [`Objects::put`], for those who try again themselves.
    pub(super) async fn put_once(&self, key: &str, bytes: &Bytes) -> Result<(), Error> {
        let path = self.path(key)?;
        let put = self.raw.put(&path, PutPayload::from_bytes(bytes.clone())).await;
        put.map(drop).map_err(|error| self.sort(key, error))
    }

    /// Writes an object unless there is one; says whether the object now holds exactly these bytes.
    ///
    /// A lost reply is no trouble: the next attempt finds the object, reads it back and recognises its own bytes. Whoever must know
    /// that it was them and no one else has to put something of their own into the bytes.
    pub(super) async fn create(&self, key: &str, bytes: &Bytes) -> Result<bool, Error> {
        let path = self.path(key)?;
        retrying(async || {
            let payload = PutPayload::from_bytes(bytes.clone());
            match self.raw.put_opts(&path, payload, PutMode::Create.into()).await {
                Ok(_) => Ok(true),
                Err(object_store::Error::AlreadyExists { source, .. }) => {
                    self.holds(key, bytes, source).await
                }
                Err(error) => Err(self.sort(key, error)),
            }
        })
        .await
    }

    /// Whether `key` holds exactly `bytes`. That it is not there at all means that another writer's attempt was under way and failed.
    async fn holds(&self, key: &str, bytes: &Bytes, refusal: super::error::Source) -> Result<bool, Error> {
        match self.get_once(key, bytes.len() as u64).await {
            Ok(found) => Ok(found == bytes),
            Err(Error::TooLarge { .. }) => Ok(false),
            Err(Error::NotFound { .. }) => Err(Error::Unavailable {
                key: self.name(key),
                source: refusal,
            }),
            Err(error) => Err(error),
        }
    }

    /// Reads a whole object of at most `limit` bytes.
    pub(super) async fn get(&self, key: &str, limit: u64) -> Result<Bytes, Error> {
        retrying(async || self.get_once(key, limit).await).await
    }

    async fn get_once(&self, key: &str, limit: u64) -> Result<Bytes, Error> {
        let path = self.path(key)?;
        let found = self.raw.get(&path).await.map_err(|error| self.sort(key, error))?;
        let size = found.meta.size;
        if size > limit {
            let key = self.name(key);
            return Err(Error::TooLarge { key, size, limit });
        }
        found.bytes().await.map_err(|error| self.sort(key, error))
    }

    /// As [`Objects::get`]; `None` where there is no such object.
    pub(super) async fn find(&self, key: &str, limit: u64) -> Result<Option<Bytes>, Error> {
        found(self.get(key, limit).await)
    }

    /// Reads a part of an object.
    pub(super) async fn get_range(&self, key: &str, range: std::ops::Range<u64>) -> Result<Bytes, Error> {
        let path = self.path(key)?;
        retrying(async || {
            let read = self.raw.get_range(&path, range.clone()).await;
            read.map_err(|error| self.sort(key, error))
        })
        .await
    }

    /// Deletes an object; that there is none is fine.
    pub(super) async fn delete(&self, key: &str) -> Result<(), Error> {
        let path = self.path(key)?;
        let delete = retrying(async || {
            let deleted = self.raw.delete(&path).await;
            deleted.map_err(|error| self.sort(key, error))
        });
        found(delete.await).map(drop)
    }

    /// Copies inside the store; no bytes pass through this process.
    pub(super) async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let (source, target) = (self.path(from)?, self.path(to)?);
        retrying(async || {
            let copied = self.raw.copy(&source, &target).await;
            copied.map_err(|error| self.sort(from, error))
        })
        .await
    }
}

/// `None` in place of an error that there is none.
pub(super) fn found<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
