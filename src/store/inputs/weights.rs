//! Which files of a model's folder an engine reads: the same rules, so that a model's identity is what is read and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::{BadInput, Error, FileEntry, Folder};
use super::models::files_of;
use crate::plan::ModelRole;

const MAX_INDEX: u64 = 16 << 20;
/// File stems in use: diffusers networks, transformers networks.
const STEMS: [&str; 2] = ["diffusion_pytorch_model", "model"];
/// The same for what PyTorch's `torch.save` wrote, which is taken where there is nothing else.
const PICKLED_STEMS: [&str; 2] = ["diffusion_pytorch_model", "pytorch_model"];

/// `*.safetensors.index.json`: which shard holds which tensor.
#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

/// The files of a model, or every one that is missing.
pub(super) async fn wanted(
    folder: &Folder,
    role: ModelRole,
    variant: Option<&str>,
    listing: &[FileEntry],
) -> Result<BTreeSet<String>, Error> {
    let search = Search {
        folder,
        variant,
        there: listing.iter().map(|file| file.path.as_str()).collect(),
    };
    let mut wanted = BTreeSet::new();
    let mut missing = Vec::new();
    for path in files_of(role).alone {
        search.one_of(&[&[path]], &mut wanted, &mut missing);
    }
    search.one_of(files_of(role).tokenizers, &mut wanted, &mut missing);
    for network in files_of(role).networks {
        search.one_of(&[&[&format!("{network}config.json")]], &mut wanted, &mut missing);
        match search.weights(network).await? {
            Some(files) => wanted.extend(files),
            None => missing.push(search.no_weights(network)),
        }
    }
    if missing.is_empty() {
        return Ok(wanted);
    }
    Err(Error::BadInputs { problems: missing })
}

struct Search<'a> {
    folder: &'a Folder,
    variant: Option<&'a str>,
    there: BTreeSet<&'a str>,
}

impl Search<'_> {
    /// Takes the first set of files that is complete; else the first set counts as missing.
    fn one_of(&self, sets: &[&[&str]], wanted: &mut BTreeSet<String>, missing: &mut Vec<BadInput>) {
        let complete = sets
            .iter()
            .find(|set| set.iter().all(|path| self.there.contains(path)));
        if let Some(set) = complete {
            wanted.extend(set.iter().map(|path| (*path).to_owned()));
        } else {
            let first = sets.iter().take(1).flat_map(|set| set.iter());
            missing.extend(first.map(|path| self.folder.problem(path, "is missing")));
        }
    }

    /// One file first, then an index of shards, and a pickled file last. A named variant is never replaced by another precision.
    async fn weights(&self, network: &str) -> Result<Option<Vec<String>>, Error> {
        for stem in STEMS {
            let (single, index) = file_names(stem, self.variant);
            let (single, index) = (format!("{network}{single}"), format!("{network}{index}"));
            if self.there.contains(single.as_str()) {
                return Ok(Some(vec![single]));
            }
            if self.there.contains(index.as_str()) {
                return self.shards(network, index).await.map(Some);
            }
        }
        let pickled = PICKLED_STEMS.map(|stem| format!("{network}{}", pickled_name(stem, self.variant)));
        let found = pickled
            .into_iter()
            .find(|path| self.there.contains(path.as_str()));
        Ok(found.map(|path| vec![path]))
    }

    /// That none of the files is there, with the names of all.
    fn no_weights(&self, network: &str) -> BadInput {
        let named = STEMS.map(|stem| file_names(stem, self.variant));
        let pickled = PICKLED_STEMS.map(|stem| pickled_name(stem, self.variant));
        let names: Vec<String> = named
            .into_iter()
            .flat_map(|(single, index)| [single, index])
            .chain(pickled)
            .collect();
        let reason = format!("is missing, and so are {}", names[1..].join(", "));
        self.folder.problem(&format!("{network}{}", names[0]), &reason)
    }

    async fn shards(&self, network: &str, index: String) -> Result<Vec<String>, Error> {
        let text = self.folder.read(&index, MAX_INDEX).await?;
        let parsed: ShardIndex = serde_json::from_slice(&text).map_err(|error| {
            let reason = format!("is no index of shards: {error}");
            let problems = vec![self.folder.problem(&index, &reason)];
            Error::BadInputs { problems }
        })?;
        let shards: BTreeSet<String> = parsed
            .weight_map
            .into_values()
            .map(|name| format!("{network}{name}"))
            .collect();
        let gone: Vec<String> = shards
            .iter()
            .filter(|path| !self.there.contains(path.as_str()))
            .cloned()
            .collect();
        if !gone.is_empty() {
            return Err(refuse(self.folder, &gone));
        }
        Ok(shards.into_iter().chain([index]).collect())
    }
}

/// Names of a single weight file and of an index of shards.
fn file_names(stem: &str, variant: Option<&str>) -> (String, String) {
    match variant {
        None => (
            format!("{stem}.safetensors"),
            format!("{stem}.safetensors.index.json"),
        ),
        Some(variant) => (
            format!("{stem}.{variant}.safetensors"),
            format!("{stem}.safetensors.index.{variant}.json"),
        ),
    }
}

/// Name of a file that PyTorch wrote; there are no shards of it.
fn pickled_name(stem: &str, variant: Option<&str>) -> String {
    match variant {
        None => format!("{stem}.bin"),
        Some(variant) => format!("{stem}.{variant}.bin"),
    }
}

fn refuse(folder: &Folder, missing: &[String]) -> Error {
    let problems = missing
        .iter()
        .map(|path| folder.problem(path, "is missing"))
        .collect();
    Error::BadInputs { problems }
}
