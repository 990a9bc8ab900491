//! DreamBooth: a whole model in diffusers' layout, since every weight of the U-Net is trained.
//!
//! An adapter holds the difference to the base model, in the precision it was trained in. [`export`] writes base + difference as
//! f32, the very sum that sampling computes. [`import`] takes trained − base, which f32 cannot always hold exactly: a weight of which the rounded difference does not
//! lead back to the trained value is off by one rounding, and how many there are is remarked.

mod import;

pub use import::{import, variant};

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use candle_core::{Device, Tensor};

use super::{Error, Method};
use crate::adapter::{Adapter, UNET};
use crate::base_model::BaseModel;
use crate::methods::dreambooth::{PRECISION, TEXT};
use crate::methods::personalised::{fitting, sum};
use crate::tensor_file;
use crate::weights::Precision;

/// What ends the names of weights. In a network's folder and beside the networks they are not copied.
const WEIGHTS: [&str; 8] = ["safetensors", "bin", "ckpt", "pt", "pth", "msgpack", "h5", "onnx"];
/// Folders in a model's folder are not nested deeper.
const MAX_DEPTH: usize = 4;

/// A network's folder, its weights' file, and what its tensors' names begin with in adapters.
struct Network {
    folder: &'static str,
    file: &'static str,
    prefix: &'static str,
}

const UNET_FOLDER: Network = Network {
    folder: "unet",
    file: "diffusion_pytorch_model.safetensors",
    prefix: UNET,
};
const TEXT_FOLDER: Network = Network {
    folder: "text_encoder",
    file: "model.safetensors",
    prefix: TEXT,
};

/// Writes the trained model to `out`, which must not exist: the folder `base` with the trained networks in place. Trained on a
/// variant of the base model's files, it has them under the plain names.
///
/// # Errors
/// The base model cannot be read, the adapter does not fit it, or `out` cannot be written; nothing is left there then.
pub fn export(adapter: &Adapter, base: &Path, out: &Path) -> crate::Result<()> {
    let method = Method::of(adapter)?;
    if method != Method::Dreambooth {
        let reason = "only DreamBooth's adapters are rebuilt as whole models".to_owned();
        return Err(Error::Adapter { method, reason }.into());
    }
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = out.with_file_name(name);
    let written =
        rebuild(adapter, base, &partial).and_then(|()| Ok(fs::rename(&partial, out).map_err(io(out))?));
    if written.is_err() {
        drop(fs::remove_dir_all(&partial));
    }
    written
}

fn rebuild(adapter: &Adapter, base: &Path, to: &Path) -> crate::Result<()> {
    let model = BaseModel::load_in(precision(adapter)?, base, adapter.variant(), &Device::Cpu)?;
    let mut foreign: BTreeSet<&String> = adapter.tensors().keys().collect();
    let trains_text = foreign.iter().any(|name| name.starts_with(TEXT));
    let replaced = [Some(UNET_FOLDER), trains_text.then_some(TEXT_FOLDER)];
    let replaced: Vec<Network> = replaced.into_iter().flatten().collect();
    // What does not fit is told before gigabytes are copied.
    for network in &replaced {
        for (name, tensor) in tensors(&model, network) {
            let name = format!("{}{name}", network.prefix);
            fitting(tensor, adapter.tensors().get(&name), &name)?;
            foreign.remove(&name);
        }
    }
    if let Some(name) = foreign.first() {
        return Err(Error::Adapter {
            method: Method::Dreambooth,
            reason: format!("`{name}` is no part of the U-Net or the text encoder"),
        }
        .into());
    }
    copy(base, to, 0, adapter.variant(), &|folder| {
        replaced.iter().any(|network| base.join(network.folder) == folder)
    })?;
    replaced
        .iter()
        .try_for_each(|network| write(adapter, &model, network, to))
}

/// What the base model was kept in that the differences are to.
fn precision(adapter: &Adapter) -> Result<Option<Precision>, Error> {
    let Some(word) = adapter.metadata().get(PRECISION) else {
        return Ok(None);
    };
    let unknown = || Error::Adapter {
        method: Method::Dreambooth,
        reason: format!("it was trained in `{word}`, which this program does not know"),
    };
    Precision::named(word).ok_or_else(unknown).map(Some)
}

fn tensors<'a>(model: &'a BaseModel, network: &Network) -> &'a BTreeMap<String, Tensor> {
    match network.prefix {
        TEXT => model.text_tensors(),
        _ => model.unet_tensors(),
    }
}

/// Writes a network tensor by tensor, so that the trained one is never in memory as a whole.
fn write(adapter: &Adapter, model: &BaseModel, network: &Network, to: &Path) -> crate::Result<()> {
    let base = tensors(model, network);
    let path = to.join(network.folder).join(network.file);
    let mut file = BufWriter::new(File::create(&path).map_err(io(&path))?);
    let shapes = base.iter().map(|(name, tensor)| (name.as_str(), tensor.dims()));
    let header = tensor_file::header(adapter.metadata(), shapes)?;
    file.write_all(&header).map_err(io(&path))?;
    for (name, tensor) in base {
        let name = format!("{}{name}", network.prefix);
        let trained = sum(tensor, adapter.tensors().get(&name), &name)?;
        let values = trained.flatten_all()?.to_vec1::<f32>()?;
        for value in values {
            file.write_all(&value.to_le_bytes()).map_err(io(&path))?;
        }
    }
    Ok(file.flush().map_err(io(&path))?)
}

/// Copies a folder; weights beside the networks and in a folder that is `replaced` stay behind, hidden files too.
fn copy(
    from: &Path,
    to: &Path,
    depth: usize,
    variant: Option<&str>,
    replaced: &dyn Fn(&Path) -> bool,
) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(io(to))?;
    let without_weights = depth == 0 || replaced(from);
    for entry in fs::read_dir(from).map_err(io(from))? {
        let path = entry.map_err(io(from))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if depth < MAX_DEPTH {
                copy(&path, &to.join(&*name), depth + 1, variant, replaced)?;
            }
            continue;
        }
        if without_weights && is_weights(&name) {
            continue;
        }
        if let Some(name) = plain_name(from, &name, variant) {
            fs::copy(&path, to.join(name)).map_err(io(&path))?;
        }
    }
    Ok(())
}

fn is_weights(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    WEIGHTS.contains(&extension.to_lowercase().as_str()) || name.contains(".index.")
}

/// What a file of `folder` is called in its copy. Weights of the variant have the plain name there, for who loads the model without
/// a word about variants; what has it here is not what was trained on, and stays behind. Shards keep their names, which their
/// index knows them by.
fn plain_name(folder: &Path, name: &str, variant: Option<&str>) -> Option<String> {
    let variant = variant.filter(|_| is_weights(name));
    let (Some(variant), Some((stem, extension))) = (variant, name.rsplit_once('.')) else {
        return Some(name.to_owned());
    };
    match stem.strip_suffix(&format!(".{variant}")) {
        Some(stem) if !name.contains("-of-") => Some(format!("{stem}.{extension}")),
        Some(_) => Some(name.to_owned()),
        None => (!has_weights_of(folder, variant)).then(|| name.to_owned()),
    }
}

fn has_weights_of(folder: &Path, variant: &str) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    let ending = format!(".{variant}");
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        is_weights(&name)
            && name
                .rsplit_once('.')
                .is_some_and(|(stem, _)| stem.ends_with(&ending))
    })
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io {
        path: path.clone(),
        source,
    }
}
