//! A file of another program, opened: what stands in it by name, whichever container it has.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::{Error, File};
use crate::tensor_file;
use crate::torch_file::{self, Dict, Value};

/// What every pickle begins with.
const PICKLE: u8 = 0x80;
/// Whose facts in a header are kept: this program's, and those that other programs show to people.
const KEPT: [&str; 2] = ["vico.", "modelspec."];

/// See the module.
pub(super) struct Foreign {
    /// What messages call it.
    pub(super) name: String,
    /// The text in a safetensors file's header.
    pub(super) header: BTreeMap<String, String>,
    /// What it holds.
    pub(super) content: Dict,
}

impl Foreign {
    /// Opens a file, whatever its name ends with: a safetensors file or one that `torch.save` wrote.
    ///
    /// # Errors
    /// It is neither, or is damaged.
    pub(super) fn open(file: &File) -> Result<Self, Error> {
        let bytes = &file.bytes;
        let is_pickle = bytes.first() == Some(&PICKLE) && !looks_like_safetensors(bytes);
        if is_pickle || torch_file::is_archive(bytes) {
            Self::open_pickle(file)
        } else {
            Self::open_safetensors(file)
        }
    }

    fn open_pickle(file: &File) -> Result<Self, Error> {
        let name = file.name.clone();
        let value = torch_file::read(&file.bytes).map_err(|reason| Error::Pickle {
            file: name.clone(),
            reason,
        })?;
        let Some(content) = value.as_dict().cloned() else {
            let reason = format!("it holds {} where a dictionary was expected", value.kind());
            return Err(Error::Content { file: name, reason });
        };
        Ok(Self {
            name,
            header: BTreeMap::new(),
            content,
        })
    }

    fn open_safetensors(file: &File) -> Result<Self, Error> {
        let wrong = |error: safetensors::SafeTensorError| Error::Content {
            file: file.name.clone(),
            reason: format!("it is neither a safetensors file ({error}) nor one that `torch.save` wrote"),
        };
        let (_, header) = SafeTensors::read_metadata(&file.bytes).map_err(wrong)?;
        let header = header.metadata().clone().unwrap_or_default();
        let mut content = Dict::default();
        let views = SafeTensors::deserialize(&file.bytes).map_err(wrong)?;
        for (name, view) in views.tensors() {
            let tensor = Value::Tensor(widened(&name, &view)?);
            content.0.push((name, tensor));
        }
        content.0.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(Self {
            name: file.name.clone(),
            header: header.into_iter().collect(),
            content,
        })
    }

    /// The names in it.
    pub(super) fn keys(&self) -> Vec<&str> {
        self.content.keys()
    }

    /// The facts in its header that an adapter keeps.
    pub(super) fn facts(&self) -> BTreeMap<String, String> {
        kept(self.header.clone())
    }

    /// An error about this file.
    pub(super) fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Content {
            file: self.name.clone(),
            reason: reason.into(),
        }
    }

    /// The dictionary under `key`.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn dict(&self, key: &str) -> Result<&Dict, Error> {
        let missing = || {
            let keys = listed(self.keys());
            self.wrong(format!("it has no dictionary `{key}`, only {keys}"))
        };
        self.content.get(key).and_then(Value::as_dict).ok_or_else(missing)
    }

    /// All tensors of `dict`, which is this file's content or lies in it. Empty dictionaries, which diffusers leaves where a
    /// layer was not trained, are passed over.
    ///
    /// # Errors
    /// Something there is no tensor of floats, or a name comes twice.
    pub(super) fn tensors(&self, dict: &Dict) -> Result<BTreeMap<String, Tensor>, Error> {
        let mut tensors = BTreeMap::new();
        for (name, value) in &dict.0 {
            match value {
                Value::Tensor(tensor) => {
                    if tensors.insert(name.clone(), tensor.clone()).is_some() {
                        return Err(self.wrong(format!("it has two tensors called `{name}`")));
                    }
                }
                Value::Dict(empty) if empty.0.is_empty() => {}
                Value::Dict(parts) if parts.get("u").is_some() && parts.get("v").is_some() => {
                    let reason = format!(
                        "`{name}` is compressed to two factors; import the file before `compress.py`"
                    );
                    return Err(self.wrong(reason));
                }
                other => {
                    let reason = format!("`{name}` is {} where a tensor was expected", other.kind());
                    return Err(self.wrong(reason));
                }
            }
        }
        Ok(tensors)
    }
}

/// The facts of a header that an adapter keeps.
pub(super) fn kept(mut header: BTreeMap<String, String>) -> BTreeMap<String, String> {
    header.retain(|key, _| KEPT.iter().any(|prefix| key.starts_with(prefix)));
    header
}

/// The names of some files, for messages.
pub(super) fn names(files: &[Foreign]) -> String {
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    names.join(", ")
}

/// The only file.
///
/// # Errors
/// There are several, or none.
pub(super) fn only<'a>(files: &'a [Foreign], what: &str) -> Result<&'a Foreign, Error> {
    match files {
        [only] => Ok(only),
        _ => Err(Error::Content {
            file: names(files),
            reason: format!("{what} is one file, these are {}", files.len()),
        }),
    }
}

/// Some names for a message, not all of a network's.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 4;
    let names: Vec<&str> = names.into_iter().collect();
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if names.is_empty() {
        "nothing".clone_into(&mut text);
    } else if names.len() > SHOWN {
        text = format!("{text} and {} more", names.len() - SHOWN);
    }
    text
}

/// Whether the file's ninth byte opens a safetensors header: its first eight, a length, may begin with anything.
fn looks_like_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{')
}

/// A tensor of a safetensors file as f32; f16 and bf16 lose nothing by that.
fn widened(name: &str, view: &TensorView<'_>) -> Result<Tensor, Error> {
    let data = view.data();
    let values: Vec<f32> = match view.dtype() {
        Dtype::F32 => data
            .as_chunks()
            .0
            .iter()
            .map(|four| f32::from_le_bytes(*four))
            .collect(),
        Dtype::F16 => data
            .as_chunks()
            .0
            .iter()
            .map(|two| f16::from_le_bytes(*two).to_f32())
            .collect(),
        Dtype::BF16 => data
            .as_chunks()
            .0
            .iter()
            .map(|two| bf16::from_le_bytes(*two).to_f32())
            .collect(),
        other => {
            return Err(tensor_file::Error::Dtype {
                tensor: name.to_owned(),
                got: format!("{other:?}"),
            }
            .into());
        }
    };
    Ok(Tensor::from_vec(values, view.shape(), &Device::Cpu)?)
}
