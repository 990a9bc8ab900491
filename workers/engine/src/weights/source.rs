//! Where a tensor comes from: a file of either kind, or memory.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::Error;
use super::finite::finite;
use super::layout::Container;
use super::pickled_file::PickledFile;
use super::precision::for_operators;
use super::safetensors_file::SafetensorsFile;

/// See the module.
pub(super) enum Source {
    File(Arc<SafetensorsFile>),
    Pickled(Arc<PickledFile>),
    Memory(Tensor),
}

impl Source {
    /// Opens a file: each of its tensors with its name.
    pub(super) fn open(path: &Path, container: Container) -> Result<Vec<(String, Self)>, Error> {
        Ok(match container {
            Container::Safetensors => {
                let file = Arc::new(SafetensorsFile::open(path)?);
                let names = file.names().into_iter();
                names.map(|name| (name, Self::File(file.clone()))).collect()
            }
            Container::Pickle => {
                let file = Arc::new(PickledFile::open(path)?);
                let names = file.names();
                names
                    .map(|name| (name.to_owned(), Self::Pickled(file.clone())))
                    .collect()
            }
        })
    }

    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file.path()),
            Self::Pickled(file) => Some(file.path()),
            Self::Memory(_) => None,
        }
    }

    pub(super) fn check_shape(&self, expected: &[usize], name: &str, origin: &str) -> Result<(), Error> {
        let found = match self {
            Self::File(file) => file.shape(name).unwrap_or_default(),
            Self::Pickled(file) => file.shape(name).unwrap_or_default(),
            Self::Memory(tensor) => tensor.dims(),
        };
        if found == expected {
            return Ok(());
        }
        let origin = self
            .path()
            .map_or_else(|| origin.to_owned(), |path| path.display().to_string());
        let (expected, found) = (expected.to_vec(), found.to_vec());
        Err(Error::Shape {
            origin,
            tensor: name.to_owned(),
            expected,
            found,
        })
    }

    /// The tensor itself, checked; `origin` is what errors call memory.
    pub(super) fn read(&self, name: &str, origin: &str, device: &Device) -> Result<Tensor, Error> {
        match self {
            Self::File(file) => file.read(name, device),
            Self::Pickled(file) => file.read(name, device),
            Self::Memory(tensor) => read_memory(tensor, name, origin),
        }
    }
}

fn read_memory(tensor: &Tensor, name: &str, origin: &str) -> Result<Tensor, Error> {
    if !matches!(tensor.dtype(), DType::F32 | DType::F16 | DType::BF16) {
        let found = format!("{:?}", tensor.dtype());
        return Err(Error::ElementType {
            origin: origin.to_owned(),
            tensor: name.to_owned(),
            found,
        });
    }
    let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    for (index, value) in values.into_iter().enumerate() {
        finite(value, (name, index), || origin.to_owned())?;
    }
    Ok(for_operators(tensor)?)
}
