//! One file that PyTorch wrote: in memory as a whole, then tensors taken out on demand.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, WithDType};

use super::Error;
use super::finite::finite;
use crate::torch_file::{self, Elements, StateDict};

/// What its container holds without extensions.
const MAX_BYTES: u64 = 4 << 30;

/// A file in memory with its tensors' places checked.
pub(super) struct PickledFile {
    path: PathBuf,
    content: StateDict,
}

impl PickledFile {
    /// Reads `path` whole and runs the program in it, which can call nothing; takes out no tensor.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let size = fs::metadata(path).map_err(io)?.len();
        if size > MAX_BYTES {
            let reason = format!("it has {size} bytes, and such files are read up to {MAX_BYTES}");
            return Err(unreadable(path, torch_file::Error::Container(reason)));
        }
        let bytes = fs::read(path).map_err(io)?;
        let content = StateDict::open(bytes).map_err(|reason| unreadable(path, reason))?;
        Ok(Self {
            path: path.to_owned(),
            content,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all tensors in the file.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.content.names()
    }

    /// Shape of a tensor; `None` if the file has no such tensor.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.content.shape(name)
    }

    /// Takes out one tensor, as f32 on a CPU and in the file's own precision elsewhere.
    pub(super) fn read(&self, name: &str, device: &Device) -> Result<Tensor, Error> {
        let elements = self.content.elements(name).ok_or_else(|| Error::Missing {
            origin: self.origin(),
            tensor: name.to_owned(),
        })?;
        let keep_half = !device.is_cpu();
        match elements.map_err(|reason| unreadable(&self.path, reason))? {
            Elements::F32(values) => self.build(name, values, device),
            Elements::F16(values) if keep_half => self.build(name, values, device),
            Elements::Bf16(values) if keep_half => self.build(name, values, device),
            Elements::F16(values) => self.build(name, widened(values), device),
            Elements::Bf16(values) => self.build(name, widened(values), device),
            Elements::I64(_) => Err(self.wrong_type(name, "I64")),
            Elements::I32(_) => Err(self.wrong_type(name, "I32")),
        }
    }

    /// Makes a tensor of values that are all finite.
    fn build<T>(&self, name: &str, values: Vec<T>, device: &Device) -> Result<Tensor, Error>
    where
        T: WithDType + Into<f32>,
    {
        for (index, value) in values.iter().enumerate() {
            finite(*value, (name, index), || self.origin())?;
        }
        let shape = self.shape(name).unwrap_or_default();
        Ok(Tensor::from_vec(values, shape, device)?)
    }

    fn wrong_type(&self, name: &str, found: &str) -> Error {
        Error::ElementType {
            origin: self.origin(),
            tensor: name.to_owned(),
            found: found.to_owned(),
        }
    }

    fn origin(&self) -> String {
        self.path.display().to_string()
    }
}

fn widened<T: Into<f32>>(values: Vec<T>) -> Vec<f32> {
    values.into_iter().map(Into::into).collect()
}

fn unreadable(path: &Path, reason: torch_file::Error) -> Error {
    Error::TorchFile {
        path: path.to_owned(),
        reason: reason.into(),
    }
}
