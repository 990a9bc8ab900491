//! What the operands of a product are made of.
#![expect(
    clippy::inline_always,
    reason = "a body that is not inlined keeps its own, narrow instructions"
)]

use half::bf16;

use super::super::wide::wide;
use super::tile::{ROWS, Tile};

/// One element of the summed index, or as many as are multiplied at once.
pub(in crate::kernels) trait Word: Copy + Default + Send + Sync {
    /// Elements of the summed index.
    const ELEMENTS: usize;

    /// `left (8, n) · right (n, W)`; `left` holds columns of 8 words, `right` rows of `W`. `W` is `V` vectors of 16.
    fn multiply<const W: usize, const V: usize>(left: &[[Self; ROWS]], right: &[[Self; W]]) -> Tile<W>;

    /// The word whose bits these are.
    fn of_bits(bits: f32) -> Self;
}

/// A word that can be made of elements of type `T`.
pub(in crate::kernels) trait Hold<T>: Word {
    /// A row's elements as words, whose bits travel as f32. A last one that is not full is filled up with zero.
    fn read(row: &[T], words: &mut [f32]);

    /// A row of words from as many columns of elements: the second one, where there is one, stands behind the first in a word.
    fn join(first: &[T], second: Option<&[T]>, words: &mut [Self]);
}

/// Two neighbouring bfloat16, the first in the low half.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(in crate::kernels) struct Pair(pub(super) u32);

impl Pair {
    #[inline(always)]
    fn of<T: Half>(first: T, second: T) -> Self {
        Self(u32::from(first.bits()) | u32::from(second.bits()) << 16)
    }

    #[inline(always)]
    fn alone<T: Half>(first: T) -> Self {
        Self(u32::from(first.bits()))
    }

    /// Both elements.
    #[inline(always)]
    pub(super) fn elements(self) -> [f32; 2] {
        [f32::from_bits(self.0 << 16), f32::from_bits(self.0 & 0xffff_0000)]
    }
}

/// An element that bfloat16 can be made of.
pub(in crate::kernels) trait Half: Copy {
    /// The bits of the nearest bfloat16, ties to even.
    fn bits(self) -> u16;
}

impl Half for bf16 {
    #[inline(always)]
    fn bits(self) -> u16 {
        self.to_bits()
    }
}

impl Half for f32 {
    // What `half` does, without a branch that would keep the loop from becoming vectors.
    #[inline(always)]
    fn bits(self) -> u16 {
        let bits = self.to_bits();
        let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
        let kept = if self.is_nan() {
            bits | 0x0040_0000
        } else {
            rounded
        };
        (kept >> 16) as u16
    }
}

/// The nearest bfloat16 of every number.
pub(in crate::kernels) fn rounded(values: &[f32]) -> Vec<f32> {
    let nearest = |value: &f32| f32::from_bits(u32::from(value.bits()) << 16);
    values.iter().map(nearest).collect()
}

impl<T: Half> Hold<T> for Pair {
    fn read(row: &[T], words: &mut [f32]) {
        let (two, alone) = row.as_chunks::<2>();
        wide(
            #[inline(always)]
            || {
                let both = words.iter_mut().zip(two);
                both.for_each(|(to, [a, b])| *to = f32::from_bits(Self::of(*a, *b).0));
            },
        );
        if let (Some(to), [alone]) = (words.last_mut(), alone) {
            *to = f32::from_bits(Self::alone(*alone).0);
        }
    }

    fn join(first: &[T], second: Option<&[T]>, words: &mut [Self]) {
        let Some(second) = second else {
            let alone = |(to, first): (&mut Self, &T)| *to = Self::alone(*first);
            return words.iter_mut().zip(first).for_each(alone);
        };
        wide(
            #[inline(always)]
            || {
                let both = first.iter().zip(second);
                let words = words.iter_mut().zip(both);
                words.for_each(|(to, (a, b))| *to = Self::of(*a, *b));
            },
        );
    }
}

impl Hold<Self> for f32 {
    fn read(row: &[Self], words: &mut [Self]) {
        words.copy_from_slice(row);
    }

    fn join(first: &[Self], _: Option<&[Self]>, words: &mut [Self]) {
        words[..first.len()].copy_from_slice(first);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rounding_is_that_of_half(bits: u32) {
            let value = f32::from_bits(bits);
            prop_assert_eq!(Half::bits(value), bf16::from_f32(value).to_bits());
        }
    }
}
