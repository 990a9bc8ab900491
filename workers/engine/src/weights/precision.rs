//! In which numbers a network's matrices are kept.

use candle_core::{DType, Device, Result, Tensor};

/// In which numbers the matrices of a frozen network (linear maps and convolutions) are kept and multiplied. What else it
/// has (biases, norms) stays as it is read.
///
/// A factor is rounded to the matrix's numbers, and sums are f32. On a CPU large 3x3 convolutions of stride 1 multiply in f32 all
/// the same, and attention with a bf16 query matrix multiplies in bf16 too (its text columns do not); on a GPU a product is
/// rounded once more before it becomes f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 24 significant bits.
    F32,
    /// 8 significant bits at half the memory.
    Bf16,
}

impl Precision {
    /// As files name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// The precision of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::F32, Self::Bf16]
            .into_iter()
            .find(|precision| precision.name() == name)
    }

    /// A tensor as read, in this precision if it is a matrix or a kernel.
    pub(super) fn of_matrix(self, tensor: Tensor) -> Result<Tensor> {
        match (self, tensor.rank()) {
            (_, 0 | 1) => Ok(tensor),
            (Self::F32, _) => tensor.to_dtype(DType::F32),
            (Self::Bf16, _) => tensor.to_dtype(DType::BF16),
        }
    }
}

/// What the operators take: on a CPU all but bf16 matrices as f32.
pub(super) fn for_operators(tensor: &Tensor) -> Result<Tensor> {
    match (tensor.device(), tensor.dtype(), tensor.rank()) {
        (Device::Cpu, DType::BF16, 2..) => Ok(tensor.clone()),
        (Device::Cpu, ..) => tensor.to_dtype(DType::F32),
        _ => Ok(tensor.clone()),
    }
}
