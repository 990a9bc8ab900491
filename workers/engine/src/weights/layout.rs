//! Which files of a diffusers or transformers model directory hold the weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Error;
use super::config::read_bounded;
use crate::files;

/// File stems in use: diffusers networks, transformers networks.
const STEMS: [&str; 2] = ["diffusion_pytorch_model", "model"];
/// The same for what `torch.save` wrote, which is taken where there is nothing else.
const PICKLED_STEMS: [&str; 2] = ["diffusion_pytorch_model", "pytorch_model"];
const MAX_INDEX_BYTES: u64 = 16 << 20;

/// The weight files of one model directory.
pub(super) struct Layout {
    pub(super) files: Vec<PathBuf>,
    pub(super) container: Container,
    /// Present for sharded weights: which shard must hold which tensor.
    pub(super) index: Option<ShardIndex>,
}

/// What the files are.
#[derive(Clone, Copy)]
pub(super) enum Container {
    Safetensors,
    /// What `torch.save` writes; never sharded.
    Pickle,
}

/// `*.safetensors.index.json`.
pub(super) struct ShardIndex {
    path: PathBuf,
    shard_of: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct IndexFile {
    weight_map: BTreeMap<String, String>,
}

impl Layout {
    /// Finds the weights in `dir`: one file first, then an index of shards, and a pickled file last.
    ///
    /// A named variant (`fp16`) is never replaced by another precision behind the user's back.
    pub(super) fn find(dir: &Path, variant: Option<&str>) -> Result<Self, Error> {
        let mut looked_for = Vec::new();
        for stem in STEMS {
            let (single, index) = file_names(stem, variant);
            if is_there(&dir.join(&single))? {
                return Ok(Self::single(dir.join(single), Container::Safetensors));
            }
            if is_there(&dir.join(&index))? {
                return Self::sharded(dir, &dir.join(index));
            }
            looked_for.extend([single, index]);
        }
        for stem in PICKLED_STEMS {
            let name = pickled_name(stem, variant);
            if is_there(&dir.join(&name))? {
                return Ok(Self::single(dir.join(name), Container::Pickle));
            }
            looked_for.push(name);
        }
        Err(Error::NoWeights {
            dir: dir.to_owned(),
            looked_for,
        })
    }

    fn single(path: PathBuf, container: Container) -> Self {
        Self {
            files: vec![path],
            container,
            index: None,
        }
    }

    fn sharded(dir: &Path, path: &Path) -> Result<Self, Error> {
        let bad = |reason: String| Error::Index {
            path: path.to_owned(),
            reason,
        };
        let text = read_bounded(path, MAX_INDEX_BYTES)?;
        let parsed: IndexFile = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        let shards: BTreeSet<&String> = parsed.weight_map.values().collect();
        // The index is outside input: a shard name must not lead out of the directory.
        if let Some(name) = shards
            .iter()
            .find(|name| Path::new(name).file_name() != Some(name.as_ref()))
        {
            return Err(bad(format!("`{name}` is not a plain file name")));
        }
        let files = shards.into_iter().map(|name| dir.join(name)).collect();
        let index = ShardIndex {
            path: path.to_owned(),
            shard_of: parsed.weight_map,
        };
        Ok(Self {
            files,
            container: Container::Safetensors,
            index: Some(index),
        })
    }
}

impl ShardIndex {
    /// Checks that index and shards name the same tensors in the same files.
    pub(super) fn check<'a>(&self, found: impl Iterator<Item = (&'a str, &'a Path)>) -> Result<(), Error> {
        let bad = |reason: String| Error::Index {
            path: self.path.clone(),
            reason,
        };
        let mut in_shards = 0;
        for (tensor, file) in found {
            in_shards += 1;
            let listed = self.shard_of.get(tensor);
            if listed.is_none_or(|name| file.file_name() != Some(name.as_ref())) {
                return Err(bad(format!(
                    "tensor `{tensor}` of {} is not listed there",
                    file.display()
                )));
            }
        }
        if in_shards != self.shard_of.len() {
            let listed = self.shard_of.len();
            return Err(bad(format!(
                "lists {listed} tensors, the shards hold {in_shards}"
            )));
        }
        Ok(())
    }
}

fn is_there(path: &Path) -> Result<bool, Error> {
    files::is_there(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })
}

fn file_names(stem: &str, variant: Option<&str>) -> (String, String) {
    match variant {
        None => (
            format!("{stem}.safetensors"),
            format!("{stem}.safetensors.index.json"),
        ),
        Some(v) => (
            format!("{stem}.{v}.safetensors"),
            format!("{stem}.safetensors.index.{v}.json"),
        ),
    }
}

fn pickled_name(stem: &str, variant: Option<&str>) -> String {
    match variant {
        None => format!("{stem}.bin"),
        Some(variant) => format!("{stem}.{variant}.bin"),
    }
}
