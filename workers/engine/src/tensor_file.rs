//! Named f32 tensors and text in one safetensors file whose bytes depend on the content alone.
//!
//! The usual writer keeps its metadata in a hash map, so two files with the same content differ; here keys are sorted,
//! and equal content means equal bytes and therefore an equal digest.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use serde::Serialize;

/// Bytes that are not such a file, or content that cannot be written as one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The container itself is malformed.
    #[error("not a valid safetensors file: {0}")]
    Malformed(#[from] safetensors::SafeTensorError),
    /// A tensor that is not f32.
    #[error("tensor `{tensor}` is {got}, expected f32")]
    Dtype {
        /// Its name.
        tensor: String,
        /// Its element type.
        got: String,
    },
    /// A header key that must be there is absent.
    #[error("the header has no `{key}`")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A header key holds something else than it should.
    #[error("the header says `{key}` is `{got}`, expected {expected}")]
    BadValue {
        /// The key.
        key: String,
        /// Its value.
        got: String,
        /// What it should be.
        expected: String,
    },
    /// A tensor could not be read from or put on its device.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// What such a file holds.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// The header's text entries.
    pub metadata: BTreeMap<String, String>,
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
}

impl Content {
    /// The text under `key`.
    ///
    /// # Errors
    /// It is absent.
    pub fn text(&self, key: &str) -> Result<&str, Error> {
        self.metadata
            .get(key)
            .map(String::as_str)
            .ok_or_else(|| Error::MissingKey { key: key.to_owned() })
    }

    /// The whole number under `key`.
    ///
    /// # Errors
    /// It is absent or not a whole number.
    pub fn number(&self, key: &str) -> Result<u64, Error> {
        let got = self.text(key)?;
        let bad = |_| Error::BadValue {
            key: key.to_owned(),
            got: got.to_owned(),
            expected: "a whole number".to_owned(),
        };
        got.parse().map_err(bad)
    }

    /// Checks that the text under `key` is `expected`.
    ///
    /// # Errors
    /// It is absent or different.
    pub fn expect(&self, key: &str, expected: &str) -> Result<(), Error> {
        let got = self.text(key)?;
        if got == expected {
            return Ok(());
        }
        Err(Error::BadValue {
            key: key.to_owned(),
            got: got.to_owned(),
            expected: format!("`{expected}`"),
        })
    }

    /// The file's bytes: an 8-byte header length, a JSON header with sorted keys padded to 8 bytes, the values.
    ///
    /// # Errors
    /// A tensor is not f32 or cannot be read from its device.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let shapes = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor.dims()));
        let mut bytes = header(&self.metadata, shapes)?;
        // Once for all: a whole model's state would be moved again and again as it grows.
        bytes.reserve_exact(4 * self.tensors.values().map(Tensor::elem_count).sum::<usize>());
        for (name, tensor) in &self.tensors {
            append_values(name, tensor, &mut bytes)?;
        }
        Ok(bytes)
    }

    /// Reads such bytes, putting the tensors on `device`.
    ///
    /// # Errors
    /// The bytes are malformed or hold something else than f32.
    pub fn from_bytes(bytes: &[u8], device: &Device) -> Result<Self, Error> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let metadata = header
            .metadata()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect();
        let mut tensors = BTreeMap::new();
        for (name, view) in SafeTensors::deserialize(bytes)?.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(Error::Dtype {
                    tensor: name,
                    got: format!("{:?}", view.dtype()),
                });
            }
            let values: Vec<f32> = view
                .data()
                .chunks_exact(4)
                .map(|four| f32::from_le_bytes(std::array::from_fn(|i| four[i])))
                .collect();
            tensors.insert(name, Tensor::from_vec(values, view.shape(), device)?);
        }
        Ok(Self { metadata, tensors })
    }
}

/// What such a file begins with, for f32 tensors of these names and shapes that follow in this order: the header's length and
/// the header, padded to 8 bytes.
///
/// # Errors
/// The metadata cannot be written as JSON.
pub(crate) fn header<'a>(
    metadata: &BTreeMap<String, String>,
    shapes: impl Iterator<Item = (&'a str, &'a [usize])>,
) -> Result<Vec<u8>, Error> {
    let (mut entries, mut end) = (BTreeMap::new(), 0);
    for (name, shape) in shapes {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        let entry = Entry {
            dtype: "F32",
            shape,
            data_offsets: [start, end],
        };
        entries.insert(name, entry);
    }
    let header = Header { metadata, entries };
    let mut header = serde_json::to_vec(&header).map_err(safetensors::SafeTensorError::from)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut header);
    Ok(bytes)
}

/// The JSON header, in the order it is written.
#[derive(Serialize)]
struct Header<'a> {
    #[serde(rename = "__metadata__")]
    metadata: &'a BTreeMap<String, String>,
    #[serde(flatten)]
    entries: BTreeMap<&'a str, Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    dtype: &'static str,
    shape: &'a [usize],
    data_offsets: [usize; 2],
}

fn append_values(name: &str, tensor: &Tensor, bytes: &mut Vec<u8>) -> Result<(), Error> {
    if tensor.dtype() != DType::F32 {
        return Err(Error::Dtype {
            tensor: name.to_owned(),
            got: format!("{:?}", tensor.dtype()),
        });
    }
    for value in tensor.flatten_all()?.to_vec1::<f32>()? {
        bytes.extend(value.to_le_bytes());
    }
    Ok(())
}
