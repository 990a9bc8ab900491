//! What objects there are.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};

use super::Error;
use super::objects::{Objects, found};
use super::retry::retrying;
use crate::clock::Timestamp;

/// What a listing says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) size: u64,
    pub(super) modified: Timestamp,
    /// Changes whenever the bytes do, as far as the store can tell.
    pub(super) version: String,
}

impl Objects {
    /// An object's size and age; `None` where there is none.
    pub(super) async fn head(&self, key: &str) -> Result<Option<Object>, Error> {
        retrying(async || self.head_once(key).await).await
    }

    /// As [`Objects::head`], for those who try again themselves.
    pub(super) async fn head_once(&self, key: &str) -> Result<Option<Object>, Error> {
        let path = self.path(key)?;
        let head = self.raw().head(&path).await;
        let head = found(head.map_err(|error| self.sort(key, error)));
        Ok(head?.map(|meta| describe(key.to_owned(), &meta)))
    }

    /// All objects below `folder` (all there are, if it is empty), sorted by key.
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<Object>, Error> {
        let path = self.folder_path(folder)?;
        let metas: Vec<ObjectMeta> = retrying(async || {
            let listing = self.raw().list(Some(&path)).try_collect().await;
            listing.map_err(|error| self.sort(folder, error))
        })
        .await?;
        Ok(self.describe_all(&metas))
    }

    /// Objects and names of folders directly in `folder`, sorted.
    pub(super) async fn list_level(&self, folder: &str) -> Result<(Vec<Object>, Vec<String>), Error> {
        let path = self.folder_path(folder)?;
        let listing = retrying(async || {
            let listing = self.raw().list_with_delimiter(Some(&path)).await;
            listing.map_err(|error| self.sort(folder, error))
        });
        let listing = listing.await?;
        let names = listing.common_prefixes.iter().filter_map(|path| path.filename());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        Ok((self.describe_all(&listing.objects), names))
    }

    fn folder_path(&self, folder: &str) -> Result<Path, Error> {
        match folder {
            "" => Ok(self.prefix.clone()),
            folder => self.path(folder),
        }
    }

    fn describe_all(&self, metas: &[ObjectMeta]) -> Vec<Object> {
        let mut objects: Vec<Object> = metas.iter().filter_map(|meta| self.listed(meta)).collect();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        objects
    }

    fn listed(&self, meta: &ObjectMeta) -> Option<Object> {
        let below = meta.location.as_ref().strip_prefix(self.prefix.as_ref())?;
        let key = below.strip_prefix('/').unwrap_or(below);
        // A store's own placeholder for the folder itself.
        (!key.is_empty()).then(|| describe(key.to_owned(), meta))
    }
}

fn describe(key: String, meta: &ObjectMeta) -> Object {
    let modified = u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or(0);
    Object {
        key,
        size: meta.size,
        modified: Timestamp(modified),
        version: meta.e_tag.clone().unwrap_or_else(|| modified.to_string()),
    }
}
