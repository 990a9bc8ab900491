//! What the planner must know of the world outside the manifest, and the answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::digest::Digest;
use crate::spec::ModelSource;

/// Something outside the manifest that must be listed, read or digested before planning. URLs are absolute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Every image right in this folder.
    ImageFolder(String),
    /// This one image.
    ImageFile(String),
    /// Every image right in every folder of this folder.
    ConceptFolders(String),
    /// This text file.
    PromptFile(String),
    /// Every `.txt` file right in this folder.
    PromptFolder(String),
    /// This model's folder.
    Model {
        /// The folder.
        url: String,
        /// What it is to be.
        role: ModelRole,
        /// `fp16` and the like, for a base model.
        variant: Option<String>,
    },
}

impl Need {
    /// The URL; for all but models the key of the answer in [`Resolved`].
    pub fn url(&self) -> &str {
        match self {
            Self::ImageFolder(url)
            | Self::ImageFile(url)
            | Self::ConceptFolders(url)
            | Self::PromptFile(url)
            | Self::PromptFolder(url)
            | Self::Model { url, .. } => url,
        }
    }
}

/// What a model is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelRole {
    /// The base model, in the diffusers layout.
    Base,
    /// CLIP, image and text towers.
    Clip,
    /// DINO.
    Dino,
    /// LPIPS.
    Lpips,
}

/// One file outside the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedFile {
    /// File name without folders.
    pub name: String,
    /// BLAKE3 of its bytes.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
}

/// The answers to all [`Need`]s of a manifest, by URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// [`Need::ImageFolder`], and [`Need::ImageFile`] as a folder of one; valid images only.
    pub images: BTreeMap<String, Vec<ResolvedFile>>,
    /// [`Need::ConceptFolders`]: images by the name of their folder; folders without images left out.
    pub concepts: BTreeMap<String, BTreeMap<String, Vec<ResolvedFile>>>,
    /// [`Need::PromptFile`]: the text.
    pub prompts: BTreeMap<String, String>,
    /// [`Need::PromptFolder`]: texts by the name of their file.
    pub prompt_folders: BTreeMap<String, BTreeMap<String, String>>,
    /// [`Need::Model`], by the whole need: a variant has other files at the same URL.
    pub models: BTreeMap<Need, Arc<ModelSource>>,
}
