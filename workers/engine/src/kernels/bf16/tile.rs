//! A tile of a matrix product of bfloat16, summed in f32 registers.
//!
//! The summed index runs in pairs: a pair is two neighbouring elements of a row in one word, the first in its low half.
//! Every output element is one chain of sums over the pairs, whatever stands in the other columns: results do not depend
//! on what is computed beside them.
#![expect(
    clippy::inline_always,
    reason = "a body that is not inlined keeps its own, narrow instructions"
)]

use super::super::wide::wide;

pub(super) use super::super::tile::{LANES, ROWS, WIDTH};

/// Sums of `W` columns.
pub(super) type Tile<const W: usize> = [[f32; W]; ROWS];

/// `left (8, pairs) · right (pairs, W)`; `left` holds columns of 8 pairs, `right` rows of `W` pairs. `W` is `V` vectors of 16.
pub(super) fn multiply<const W: usize, const V: usize>(left: &[[u32; ROWS]], right: &[[u32; W]]) -> Tile<W> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512f") {
        #[expect(unsafe_code, reason = "calls code for a processor feature")]
        // SAFETY: the features were detected just above.
        return unsafe { x86::avx512::<W, V>(left, right) };
    }
    widened(left, right)
}

/// By f32 arithmetic, in whatever vectors the processor has. The product of two bfloat16 is exact in f32.
fn widened<const W: usize>(left: &[[u32; ROWS]], right: &[[u32; W]]) -> Tile<W> {
    wide(
        #[inline(always)]
        || {
            let mut tile = [[0.0; W]; ROWS];
            for (left, right) in left.iter().zip(right) {
                for (row, left) in tile.iter_mut().zip(left) {
                    let [first, second] = halves(*left);
                    for (sum, right) in row.iter_mut().zip(right) {
                        let right = halves(*right);
                        *sum += second * right[1];
                        *sum += first * right[0];
                    }
                }
            }
            tile
        },
    )
}

/// The two elements of a pair.
#[inline(always)]
fn halves(pair: u32) -> [f32; 2] {
    [f32::from_bits(pair << 16), f32::from_bits(pair & 0xffff_0000)]
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_ps,
        _mm512_storeu_ps,
    };

    use super::{LANES, ROWS, Tile};

    /// All rows at once: 8 · V sums in registers of 16.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn avx512<const W: usize, const V: usize>(
        left: &[[u32; ROWS]],
        right: &[[u32; W]],
    ) -> Tile<W> {
        let mut sums = [[_mm512_setzero_ps(); V]; ROWS];
        for (left, right) in left.iter().zip(right) {
            let right = right.as_chunks::<LANES>().0;
            let right: [__m512bh; V] = std::array::from_fn(|v| load(&right[v]));
            for (sums, left) in sums.iter_mut().zip(left) {
                let left = pairs(_mm512_set1_epi32(left.cast_signed()));
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
    fn load(from: &[u32; LANES]) -> __m512bh {
        #[expect(unsafe_code, reason = "takes a pointer")]
        // SAFETY: 16 elements lie behind the reference; any alignment will do.
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

    fn pairs(seed: u32, count: usize) -> Vec<u32> {
        let values = random_values(seed, 2 * count);
        let half = |value: f32| u32::from(bf16::from_f32(value).to_bits());
        let pair = |two: &[f32; 2]| half(two[0]) | half(two[1]) << 16;
        values.as_chunks().0.iter().map(pair).collect()
    }

    fn check<const W: usize, const V: usize>(n: usize) -> Result<(), TestCaseError> {
        let (left, right) = (pairs(1, n * ROWS), pairs(2, n * W));
        let (left, right) = (left.as_chunks::<ROWS>().0, right.as_chunks::<W>().0);
        for tile in [multiply::<W, V>(left, right), widened(left, right)] {
            for (row, sums) in tile.iter().enumerate() {
                for (column, sum) in sums.iter().enumerate() {
                    let product = |k: usize| {
                        let (a, b) = (halves(left[k][row]), halves(right[k][column]));
                        f64::from(a[0]) * f64::from(b[0]) + f64::from(a[1]) * f64::from(b[1])
                    };
                    let wanted: f64 = (0..n).map(product).sum();
                    prop_assert!((f64::from(*sum) - wanted).abs() < 1e-4, "{row} {column} of {n}");
                }
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
