//! The bucket: the only durable thing. `object_store` is used here and nowhere else.
//!
//! - [`Store`] is a bucket (or a folder in one), [`Folder`] any place that is only read; both are cheap to clone.
//! - Blobs, receipts, documents, checkpoints, logs and results are methods of [`Store`]; their keys are in `layout`.
//! - [`Journal`] makes the coordinator's events durable and fences an older coordinator.
//! - [`storage_check`] finds out what a bucket can and cannot do.
//!
//! Invariants: nothing outside the bucket's prefix is written; what is immutable (blobs, receipts, segments, snapshots) is never
//! written twice with different bytes; bytes read by digest are compared with it; whatever may have happened
//! when a reply was lost is found out before an answer is given.

mod access;
mod blobs;
mod checkpoints;
mod connect;
mod damage;
mod documents;
mod error;
mod files;
mod folder;
mod garbage;
mod inputs;
mod jobs;
mod journal;
mod layout;
mod listing;
mod location;
mod logs;
mod objects;
mod probe;
mod probe_report;
mod receipts;
mod results;
mod retry;
mod transfer;
mod trouble;
mod weather;
mod witnessed;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub use access::Access;
pub use checkpoints::Checkpoint;
pub use error::{BadInput, Error};
pub use folder::{FileEntry, Folder};
pub use garbage::{Garbage, Unneeded};
pub use inputs::{InputError, InputImage};
pub use journal::{Journal, KeptSnapshot, LongestTail, Lookout, NewSnapshot, Past, Recovered};
pub use probe::storage_check;
pub use probe_report::{Check, Outcome, Report};
pub use receipts::Committed;
pub use results::{Content, Published, ResultFile};
pub use weather::{Fate, FateOutcome, SharedMemory, Weather};
pub use witnessed::{Request, RequestKind, Witness};

use location::Location;
use objects::Objects;
use results::Places;

/// A bucket, or a folder in one. Clones share the connections.
#[derive(Clone)]
pub struct Store {
    objects: Objects,
    access: Access,
    result_places: Places,
}

impl Store {
    /// Opens the bucket at `url`: a local path, `file:///…`, `s3://bucket/folder`, `gs://…` or `az://…`.
    ///
    /// Credentials, endpoint and region come from the environment (`AWS_…`, `GOOGLE_…`, `AZURE_…`). A local folder is
    /// created where it is missing; a remote bucket is not contacted.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, Access::from_env()).await
    }

    /// As [`Store::open`], with settings that win over the environment's.
    pub async fn open_with(url: &str, access: Access) -> Result<Self, Error> {
        let location = Location::parse(url)?;
        location.create_folder().await?;
        let objects = connect::connect(&location, &access)?;
        Ok(Self::at(objects, access))
    }

    /// A bucket that lives as long as the process, for tests and dry runs.
    pub fn in_memory() -> Self {
        Self::at(connect::in_memory(), Access::from_env())
    }

    fn at(objects: Objects, access: Access) -> Self {
        Self {
            objects,
            access,
            result_places: Places::default(),
        }
    }

    /// The same bucket; `witness` is told of every request.
    #[must_use]
    pub fn witnessed(self, witness: Arc<dyn Witness>) -> Self {
        let objects = self.objects.witnessed(witness);
        Self { objects, ..self }
    }

    /// Where the bucket is, as an absolute URL without credentials.
    pub fn url(&self) -> &str {
        self.objects.url()
    }

    /// The bucket's folder, if it is one on this machine.
    pub fn local_root(&self) -> Option<&Path> {
        self.objects.root()
    }

    /// Opens another place for reading, with the same settings as this bucket.
    pub async fn folder(&self, url: &str) -> Result<Folder, Error> {
        Folder::open_with(url, &self.access).await
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.url())
    }
}
