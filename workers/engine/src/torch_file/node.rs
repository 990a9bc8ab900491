//! The machine's values while a program runs: an arena, so that what is named twice exists once.

use super::Error;

/// A node's place in the arena.
pub(super) type Id = usize;

/// A value under construction.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Nothing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A `ParameterDict` with its state, once that is there.
    Parameters(Option<Id>),
    Name(Name),
    Storage(Storage),
    Tensor(View),
}

/// The names that a file may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    OrderedDict,
    Set,
    ParameterDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Dtype),
}

/// An element's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dtype {
    F32,
    F16,
    Bf16,
    I64,
    I32,
}

/// A tensor's bytes: a member of the archive.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    pub(super) dtype: Dtype,
    pub(super) key: String,
}

/// A tensor as a view of a storage.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) storage: Storage,
    /// In elements.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

impl Name {
    /// The allow-list.
    ///
    /// # Errors
    /// The name is not on it.
    pub(super) fn find(module: &str, name: &str) -> Result<Self, Error> {
        Ok(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("__builtin__" | "builtins", "set") => Self::Set,
            ("torch.nn.modules.container", "ParameterDict") => Self::ParameterDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch", "FloatStorage") => Self::Storage(Dtype::F32),
            ("torch", "HalfStorage") => Self::Storage(Dtype::F16),
            ("torch", "BFloat16Storage") => Self::Storage(Dtype::Bf16),
            ("torch", "LongStorage") => Self::Storage(Dtype::I64),
            ("torch", "IntStorage") => Self::Storage(Dtype::I32),
            _ => return Err(Error::Name(format!("{module}.{name}"))),
        })
    }
}

impl Dtype {
    /// Bytes of an element.
    pub(super) fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::I64 => 8,
        }
    }
}
