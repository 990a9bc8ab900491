//! A tile of a matrix product of bfloat16, summed in f32 registers.
//!
//! Every output element is one chain of sums over the pairs, whatever stands in the other columns: results do not depend
//! on what is computed beside them.

use super::super::wide::wide;
use super::tile::{ROWS, Tile};
use super::{Pair, Word};

impl Word for Pair {
    const ELEMENTS: usize = 2;

    fn multiply<const W: usize, const V: usize>(left: &[[Self; ROWS]], right: &[[Self; W]]) -> Tile<W> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512f") {
            #[expect(unsafe_code, reason = "calls code for a processor feature")]
            // SAFETY: the features were detected just above.
            return unsafe { x86::avx512::<W, V>(left, right) };
        }
        widened(left, right)
    }

    #[inline]
    fn of_bits(bits: f32) -> Self {
        Self(bits.to_bits())
    }
}

/// By f32 arithmetic, in whatever vectors the processor has. The product of two bfloat16 is exact in f32, so that the bits are
/// those of AVX512-BF16, which rounds after each sum too, but takes denormals for zero.
fn widened<const W: usize>(left: &[[Pair; ROWS]], right: &[[Pair; W]]) -> Tile<W> {
    wide(
        #[inline(always)]
        || {
            let mut tile = [[0.0; W]; ROWS];
            for (left, right) in left.iter().zip(right) {
                for (row, left) in tile.iter_mut().zip(left) {
                    let [first, second] = left.elements();
                    for (sum, right) in row.iter_mut().zip(right) {
                        let right = right.elements();
                        *sum += second * right[1];
                        *sum += first * right[0];
                    }
                }
            }
            tile
        },
    )
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_ps,
        _mm512_storeu_ps,
    };

    use super::super::tile::LANES;
    use super::{Pair, ROWS, Tile};

    /// All rows at once: 8 · V sums in registers of 16.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn avx512<const W: usize, const V: usize>(
        left: &[[Pair; ROWS]],
        right: &[[Pair; W]],
    ) -> Tile<W> {
        let mut sums = [[_mm512_setzero_ps(); V]; ROWS];
        for (left, right) in left.iter().zip(right) {
            let right = right.as_chunks::<LANES>().0;
            let right: [__m512bh; V] = std::array::from_fn(|v| load(&right[v]));
            for (sums, left) in sums.iter_mut().zip(left) {
                let left = pairs(_mm512_set1_epi32(left.0.cast_signed()));
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = _mm512_dpbf16_ps(*sum, left, right);
                }
            }
        }
        let mut tile = [[0.0; W]; ROWS];
        for (row, sums) in tile.iter_mut().zip(sums) {
            for (to, sum) in row.as_chunks_mut::<LANES>().0.iter_mut().zip(sums) {
                #[expect(unsafe_code, reason = "takes a pointer")]
                // SAFETY: 16 elements lie behind the only reference to them; any alignment will do.
                unsafe {
                    _mm512_storeu_ps(to.as_mut_ptr(), sum);
                }
            }
        }
        tile
    }

    #[target_feature(enable = "avx512f")]
    fn load(from: &[Pair; LANES]) -> __m512bh {
        #[expect(unsafe_code, reason = "takes a pointer")]
        // SAFETY: 16 words of 32 bits lie behind the reference; any alignment will do.
        pairs(unsafe { _mm512_loadu_si512(from.as_ptr().cast()) })
    }

    fn pairs(words: __m512i) -> __m512bh {
        #[expect(unsafe_code, reason = "there is no function for it")]
        // SAFETY: both are 512 bits, any of which are a value.
        unsafe {
            std::mem::transmute(words)
        }
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;
    use proptest::prelude::*;

    use super::super::super::both_paths::random_values;
    use super::*;

    fn pairs(seed: u32, count: usize) -> Vec<Pair> {
        let values = random_values(seed, 2 * count);
        let half = |value: f32| u32::from(bf16::from_f32(value).to_bits());
        let pair = |two: &[f32; 2]| Pair(half(two[0]) | half(two[1]) << 16);
        values.as_chunks().0.iter().map(pair).collect()
    }

    /// Both paths give the same bits; on a processor without the instruction they are one.
    fn check<const W: usize, const V: usize>(n: usize) -> Result<(), TestCaseError> {
        let (left, right) = (pairs(1, n * ROWS), pairs(2, n * W));
        let (left, right) = (left.as_chunks::<ROWS>().0, right.as_chunks::<W>().0);
        let tile = Pair::multiply::<W, V>(left, right);
        let bits = |tile: Tile<W>| tile.map(|row| row.map(f32::to_bits));
        prop_assert_eq!(bits(tile), bits(widened(left, right)), "{} of {}", W, n);
        for (row, sums) in tile.iter().enumerate() {
            for (column, sum) in sums.iter().enumerate() {
                let product = |k: usize| {
                    let (a, b) = (left[k][row].elements(), right[k][column].elements());
                    f64::from(a[0]) * f64::from(b[0]) + f64::from(a[1]) * f64::from(b[1])
                };
                let wanted: f64 = (0..n).map(product).sum();
                prop_assert!((f64::from(*sum) - wanted).abs() < 1e-4, "{row} {column} of {n}");
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn every_path_multiplies(n in 0usize..100) {
            check::<16, 1>(n)?;
            check::<32, 2>(n)?;
            check::<48, 3>(n)?;
        }
    }
}
