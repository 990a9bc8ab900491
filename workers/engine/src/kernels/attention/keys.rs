//! The keys a mask leaves.

use std::borrow::Cow;

use candle_core::{DType, Result, Tensor, bail};

use super::Mask;
use super::head::Sizes;

/// A [`Mask`] made ready: masked keys are left out of the computation, not drowned in it.
pub(in crate::kernels) enum Keys {
    All,
    Causal,
    Kept {
        /// Indices of the kept keys, ascending, per sample.
        rows: Vec<Vec<usize>>,
        /// The same as a u8 tensor (b, 1, 1, nk) where the operands live.
        mask: Tensor,
    },
}

impl Keys {
    pub(in crate::kernels) fn new(mask: Mask<'_>, sizes: &Sizes) -> Result<Self> {
        match mask {
            Mask::None => Ok(Self::All),
            Mask::Causal if sizes.queries == sizes.keys => Ok(Self::Causal),
            Mask::Causal => bail!(
                "attention: causal with {} queries but {} keys",
                sizes.queries,
                sizes.keys
            ),
            Mask::Keys(mask) => Self::kept(mask, sizes),
        }
    }

    fn kept(mask: &Tensor, sizes: &Sizes) -> Result<Self> {
        if mask.dtype() != DType::U8 || mask.dims() != [sizes.batch, sizes.keys] {
            let wanted = (sizes.batch, sizes.keys);
            bail!(
                "attention: mask {:?} of {:?}, expected u8 {wanted:?}",
                mask.dims(),
                mask.dtype()
            );
        }
        let mut rows = Vec::with_capacity(sizes.batch);
        for (sample, marks) in mask.to_vec2::<u8>()?.into_iter().enumerate() {
            let kept: Vec<usize> = (0..marks.len()).filter(|key| marks[*key] != 0).collect();
            if kept.is_empty() {
                bail!("attention: the mask of sample {sample} keeps no key");
            }
            rows.push(kept);
        }
        let mask = mask.detach().reshape((sizes.batch, 1, 1, sizes.keys))?;
        Ok(Self::Kept { rows, mask })
    }

    pub(super) fn is_causal(&self) -> bool {
        matches!(self, Self::Causal)
    }

    /// How many keys of a sample take part.
    pub(super) fn count(&self, sample: usize, sizes: &Sizes) -> usize {
        match self {
            Self::Kept { rows, .. } => rows[sample].len(),
            _ => sizes.keys,
        }
    }

    /// The rows of one sample's keys or values (nk, width) that take part, in order.
    pub(super) fn gather<'a>(&self, sample: usize, rows: &'a [f32], width: usize) -> Cow<'a, [f32]> {
        match self {
            Self::Kept { rows: kept, .. } => {
                let lines = kept[sample].iter().flat_map(|key| &rows[key * width..][..width]);
                Cow::Owned(lines.copied().collect())
            }
            _ => Cow::Borrowed(rows),
        }
    }

    /// Where the `i`-th key that takes part stands among all keys of its sample.
    pub(super) fn position(&self, sample: usize, i: usize) -> usize {
        match self {
            Self::Kept { rows, .. } => rows[sample][i],
            _ => i,
        }
    }
}
