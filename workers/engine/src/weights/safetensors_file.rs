//! One safetensors file: a bounded header, then tensors read on demand.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::Error;
use super::finite::finite;

/// A header of SD's U-Net has 90 kB; the parser needs several times the header in memory.
const MAX_HEADER_BYTES: u64 = 16 << 20;
/// Bytes of the little-endian header length in front of the header.
const LENGTH_BYTES: u64 = 8;
/// Bytes converted at a time, so that a tensor is in memory once, not twice.
const CHUNK_BYTES: usize = 1 << 20;

/// An open file with its validated header.
pub(super) struct SafetensorsFile {
    path: PathBuf,
    file: Mutex<File>,
    header: Metadata,
    data_start: u64,
}

impl SafetensorsFile {
    /// Opens `path` and checks its header against the file's length; reads no tensor.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(io)?;
        let found = file.metadata().map_err(io)?.len();
        let header_len = header_length(&mut file, path, found)?;
        let mut bytes = vec![0; header_len as usize];
        file.read_exact(&mut bytes).map_err(io)?;
        // Deserialising validates shapes, sizes and gap-free offsets.
        let header: Metadata = serde_json::from_slice(&bytes).map_err(|error| Error::Header {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let data_start = LENGTH_BYTES + header_len;
        let expected = data_start.saturating_add(header.data_len() as u64);
        if expected != found {
            return Err(Error::Length {
                path: path.to_owned(),
                expected,
                found,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(file),
            header,
            data_start,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all tensors in the file.
    pub(super) fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    /// Shape of a tensor; `None` if the file has no such tensor.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.header.info(name).map(|info| info.shape.as_slice())
    }

    /// Reads one tensor, as f32 on a CPU and in the file's own precision elsewhere.
    pub(super) fn read(&self, name: &str, device: &Device) -> Result<Tensor, Error> {
        let info = self.info(name)?;
        let keep_half = !device.is_cpu();
        let tensor = match info.dtype {
            Dtype::F32 => self.build(name, info, device, |b: [u8; 4]| f32::from_le_bytes(b))?,
            Dtype::F16 if keep_half => self.build(name, info, device, f16::from_le_bytes)?,
            Dtype::BF16 if keep_half => self.build(name, info, device, bf16::from_le_bytes)?,
            Dtype::F16 => self.build(name, info, device, |b| f16::from_le_bytes(b).to_f32())?,
            Dtype::BF16 => self.build(name, info, device, |b| bf16::from_le_bytes(b).to_f32())?,
            other => return Err(self.wrong_type(name, other)),
        };
        debug_assert!(matches!(tensor.dtype(), DType::F32 | DType::F16 | DType::BF16));
        Ok(tensor)
    }

    fn info(&self, name: &str) -> Result<&TensorInfo, Error> {
        self.header.info(name).ok_or_else(|| Error::Missing {
            origin: self.origin(),
            tensor: name.to_owned(),
        })
    }

    /// Streams the tensor's bytes, converting and checking each element on the way.
    fn build<const N: usize, T>(
        &self,
        name: &str,
        info: &TensorInfo,
        device: &Device,
        decode: impl Fn([u8; N]) -> T,
    ) -> Result<Tensor, Error>
    where
        T: candle_core::WithDType + Into<f32>,
    {
        let (start, end) = info.data_offsets;
        let mut values = Vec::with_capacity((end - start) / N);
        let io = |source| Error::Io {
            path: self.path.clone(),
            source,
        };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.data_start + start as u64))
            .map_err(io)?;
        let mut chunk = vec![0; CHUNK_BYTES.min(end - start)];
        while values.len() * N < end - start {
            let take = chunk.len().min(end - start - values.len() * N);
            file.read_exact(&mut chunk[..take]).map_err(io)?;
            let (elements, _) = chunk[..take].as_chunks::<N>();
            for bytes in elements {
                values.push(finite(decode(*bytes), (name, values.len()), || self.origin())?);
            }
        }
        drop(file);
        Ok(Tensor::from_vec(values, info.shape.as_slice(), device)?)
    }

    fn wrong_type(&self, name: &str, found: Dtype) -> Error {
        Error::ElementType {
            origin: self.origin(),
            tensor: name.to_owned(),
            found: format!("{found:?}"),
        }
    }

    fn origin(&self) -> String {
        self.path.display().to_string()
    }
}

/// The text entries in the header of the file at `path`.
pub(crate) fn metadata(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let file = SafetensorsFile::open(path)?;
    let metadata = file.header.metadata().clone().unwrap_or_default();
    Ok(metadata.into_iter().collect())
}

fn header_length(file: &mut File, path: &Path, file_len: u64) -> Result<u64, Error> {
    let bad = |reason: String| Error::Header {
        path: path.to_owned(),
        reason,
    };
    if file_len < LENGTH_BYTES {
        return Err(bad(format!("{file_len} bytes are too few for a header")));
    }
    let mut length = [0; LENGTH_BYTES as usize];
    file.read_exact(&mut length).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES {
        return Err(bad(format!(
            "header length {length} is over the limit of {MAX_HEADER_BYTES}"
        )));
    }
    if length > file_len - LENGTH_BYTES {
        return Err(bad(format!(
            "header length {length} is beyond the end of the file ({file_len} bytes)"
        )));
    }
    Ok(length)
}
