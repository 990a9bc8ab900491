//! Models: which files of a folder matter, and their digests, which are remembered in the bucket.

use std::collections::BTreeMap;

use futures::future;
use serde::{Deserialize, Serialize};

use super::super::{Error, FileEntry, Folder, Store, layout};
use super::{InputError, weights};
use crate::digest::Digest;
use crate::plan::ModelRole;
use crate::spec::{FileSource, ModelSource};

/// The files that make up a model.
pub(super) struct ModelFiles {
    /// Folders with a `config.json` and weights; `""` is the model's own.
    pub(super) networks: &'static [&'static str],
    /// Sets of files; the first complete one is taken.
    pub(super) tokenizers: &'static [&'static [&'static str]],
    /// What else must be there.
    pub(super) alone: &'static [&'static str],
}

/// Diffusers' layout for a base model, transformers' for the others. CLIP's tokenizer is used where it has one.
pub(super) fn files_of(role: ModelRole) -> ModelFiles {
    match role {
        ModelRole::Base => ModelFiles {
            networks: &["unet/", "vae/", "text_encoder/"],
            tokenizers: &[
                &["tokenizer/vocab.json", "tokenizer/merges.txt"],
                &["tokenizer/tokenizer.json"],
            ],
            alone: &["scheduler/scheduler_config.json"],
        },
        ModelRole::Clip => ModelFiles {
            networks: &[""],
            tokenizers: &[&["vocab.json", "merges.txt"], &["tokenizer.json"], &[]],
            alone: &[],
        },
        ModelRole::Dino => ModelFiles {
            networks: &[""],
            tokenizers: &[&[]],
            alone: &[],
        },
        // There is one AlexNet, and so nothing to configure.
        ModelRole::Lpips => ModelFiles {
            networks: &[],
            tokenizers: &[&[]],
            alone: &["model.safetensors"],
        },
    }
}

/// Digests found before, by path; good as long as size and version stay.
#[derive(Default, Serialize, Deserialize)]
struct Remembered {
    url: String,
    files: BTreeMap<String, RememberedFile>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct RememberedFile {
    size: u64,
    version: String,
    digest: Digest,
}

impl Store {
    /// Finds the files of a model and digests them; files that have not changed since an earlier time are not read again.
    ///
    /// `variant` is `fp16` and the like. Fails with every file that is missing.
    pub async fn model(
        &self,
        folder: &Folder,
        role: ModelRole,
        variant: Option<&str>,
    ) -> Result<ModelSource, InputError> {
        let (remembered, listing) = future::join(self.remembered(folder.url()), folder.files()).await;
        let mut remembered = remembered.map_err(InputError::Bucket)?;
        let before = remembered.files.clone();
        let source = digested(folder, (role, variant), &listing?, &mut remembered).await?;
        if remembered.files != before {
            self.put_document(&layout::model_digests(folder.url()), &remembered)
                .await
                .map_err(InputError::Bucket)?;
        }
        Ok(source)
    }

    async fn remembered(&self, url: &str) -> Result<Remembered, Error> {
        let key = layout::model_digests(url);
        match self.document(&key).await {
            Ok(remembered) => Ok(remembered),
            // What is only a memory may be lost.
            Err(Error::NotFound { .. } | Error::Corrupt { .. }) => Ok(Remembered {
                url: url.to_owned(),
                files: BTreeMap::new(),
            }),
            Err(error) => Err(error),
        }
    }
}

impl Folder {
    /// As [`Store::model`], for a command that has no bucket to remember digests in: every file is read.
    pub async fn model(&self, role: ModelRole, variant: Option<&str>) -> Result<ModelSource, Error> {
        let listing = self.files().await?;
        digested(self, (role, variant), &listing, &mut Remembered::default()).await
    }
}

/// The files of a model with their digests, which are `remembered` or read.
async fn digested(
    folder: &Folder,
    (role, variant): (ModelRole, Option<&str>),
    listing: &[FileEntry],
    remembered: &mut Remembered,
) -> Result<ModelSource, Error> {
    let wanted = weights::wanted(folder, role, variant, listing).await?;
    let mut files = Vec::with_capacity(wanted.len());
    for file in listing.iter().filter(|file| wanted.contains(&file.path)) {
        let known = remembered.files.get(&file.path).filter(|known| known.is_of(file));
        let digest = match known {
            Some(known) => known.digest,
            None => folder.digest(file).await?,
        };
        remembered
            .files
            .insert(file.path.clone(), RememberedFile::of(file, digest));
        files.push(FileSource {
            path: file.path.clone(),
            digest,
            size: file.size,
        });
    }
    let url = folder.url().to_owned();
    Ok(ModelSource { url, files })
}

impl RememberedFile {
    fn of(file: &FileEntry, digest: Digest) -> Self {
        Self {
            size: file.size,
            version: file.version.clone(),
            digest,
        }
    }

    fn is_of(&self, file: &FileEntry) -> bool {
        self.size == file.size && self.version == file.version
    }
}
