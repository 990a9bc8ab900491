//! Model folders on this machine. A model in a local folder is read where it is; any other is fetched into the cache and
//! its folder is assembled from links.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use vico::digest::Digest;
use vico::job::{BlobRef, Failure, FailureClass};
use vico::spec::{FileSource, ModelInputs, ModelSource};
use vico::store::Folder;

use crate::cache::{CachedFile, Stamp, measure, stamp};
use crate::engine::ModelFolder;
use crate::failure::{invalid, of_cache, of_store};
use crate::worker::Worker;

/// Files fetched at the same time.
const AT_ONCE: usize = 4;

/// Files outside the cache whose digests were found right, with the size and time of change they had then, so that
/// gigabytes are not read again for every job.
#[derive(Debug, Default)]
pub struct Verified(Mutex<HashMap<PathBuf, (Stamp, Digest)>>);

/// A folder with the files of `model`, which `source` says where to find.
///
/// # Errors
/// The files cannot be had, or are not those that the job was planned with.
pub async fn fetch(
    worker: &Worker,
    model: &ModelInputs,
    source: &ModelSource,
) -> Result<ModelFolder, Failure> {
    if source.identity().ok() != Some(model.identity) {
        return Err(invalid(format!(
            "the files listed for the model {} are not that model",
            model.identity
        )));
    }
    let origin = worker.store.folder(&source.url).await.map_err(of_store)?;
    let (path, pins) = match in_place(&origin, source)? {
        Some(path) => {
            let check = |file| worker.verified.check(&path, file);
            try_join_all(source.files.iter().map(check)).await?;
            (path, Vec::new())
        }
        None => assemble(worker, model, &origin, source).await?,
    };
    let model = model.clone();
    Ok(ModelFolder { model, path, pins })
}

/// The model's folder, if it is on this machine. No file of the model may be outside of it.
fn in_place(origin: &Folder, source: &ModelSource) -> Result<Option<PathBuf>, Failure> {
    let mut root = None;
    for file in &source.files {
        let path = origin.local_path(&file.path).map_err(of_store)?;
        let depth = Path::new(&file.path).components().count();
        root = path.and_then(|path| path.ancestors().nth(depth).map(Path::to_owned));
    }
    Ok(root)
}

impl Verified {
    async fn check(&self, folder: &Path, file: &FileSource) -> Result<(), Failure> {
        let path = folder.join(&file.path);
        let unreadable = |error: &dyn std::error::Error| Failure {
            class: FailureClass::Storage,
            message: format!(
                "the model file {} cannot be read on this machine: {error}",
                path.display()
            ),
        };
        let stamp = stamp(&path).map_err(|error| unreadable(&error))?;
        if self.known(&path) == Some((stamp, file.digest)) {
            return Ok(());
        }
        let (digest, _) = measure(&path).await.map_err(|error| unreadable(&error))?;
        if digest != file.digest {
            // Another machine may have the file that was planned with.
            let path = path.display();
            let message = format!(
                "the model file {path} on this machine is not the one that the sweep was planned with"
            );
            return Err(Failure {
                class: FailureClass::Storage,
                message,
            });
        }
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path, (stamp, digest));
        Ok(())
    }

    fn known(&self, path: &Path) -> Option<(Stamp, Digest)> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(path)
            .copied()
    }
}

/// Fetches all files into the cache and links them into a folder. The pins keep them there.
async fn assemble(
    worker: &Worker,
    model: &ModelInputs,
    origin: &Folder,
    source: &ModelSource,
) -> Result<(PathBuf, Vec<CachedFile>), Failure> {
    let fetches: Vec<_> = source
        .files
        .iter()
        .map(|file| fetch_file(worker, origin, file))
        .collect();
    let pins: Vec<CachedFile> = stream::iter(fetches).buffered(AT_ONCE).try_collect().await?;
    let folder = worker
        .cache
        .side_folder("models")
        .join(model.identity.to_string());
    for (file, pin) in source.files.iter().zip(&pins) {
        let at = folder.join(&file.path);
        link(&at, pin.path()).map_err(|error| Failure {
            class: FailureClass::Storage,
            message: format!("cannot link the model file {}: {error}", at.display()),
        })?;
    }
    Ok((folder, pins))
}

async fn fetch_file(worker: &Worker, origin: &Folder, file: &FileSource) -> Result<CachedFile, Failure> {
    let FileSource { digest, size, .. } = *file;
    let download = |to: PathBuf| async move { origin.download(file, &to).await };
    worker
        .cache
        .file(&BlobRef { digest, size }, download)
        .await
        .map_err(of_cache)
}

/// Makes `at` a link to `target`, which need not be new.
fn link(at: &Path, target: &Path) -> io::Result<()> {
    let target = std::path::absolute(target)?;
    if fs::read_link(at).is_ok_and(|old| old == target) {
        return Ok(());
    }
    if let Some(folder) = at.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::remove_file(at) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match symlink(&target, at) {
        // Another slot was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}
