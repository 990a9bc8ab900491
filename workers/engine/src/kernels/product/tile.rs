//! The innermost loop of a matrix product: 8 rows times up to 48 columns, kept in registers over the whole sum.
//!
//! Operands come packed: for every summand the 8 numbers of the left side, and the row of the right side, each one behind
//! the other. Nothing is then skipped over and no index is checked inside the loop. A column's sum runs in the order of the
//! summands, whatever stands in the other columns: results do not depend on what is computed beside them.

use super::Word;

/// Rows of a tile.
pub(in crate::kernels) const ROWS: usize = 8;
/// Columns of the widest tile.
pub(in crate::kernels) const WIDTH: usize = 48;
/// Columns of the narrowest one; a width is a multiple of this.
pub(in crate::kernels) const LANES: usize = 16;

/// A finished tile of `W` columns.
pub(super) type Tile<const W: usize> = [[f32; W]; ROWS];

/// The width of the tile that holds `columns` columns, at most [`WIDTH`].
pub(in crate::kernels) fn width(columns: usize) -> usize {
    columns.div_ceil(LANES).min(WIDTH / LANES) * LANES
}

impl Word for f32 {
    const ELEMENTS: usize = 1;

    fn multiply<const W: usize, const V: usize>(left: &[[Self; ROWS]], right: &[[Self; W]]) -> Tile<W> {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                #[expect(unsafe_code, reason = "calls code for a processor feature")]
                // SAFETY: the feature was detected just above.
                return unsafe { x86::avx512::<W, V>(left, right) };
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                #[expect(unsafe_code, reason = "calls code for a processor feature")]
                // SAFETY: the features were detected just above.
                return unsafe { x86::avx2::<W>(left, right) };
            }
        }
        portable(left, right)
    }

    #[inline]
    fn of_bits(bits: f32) -> Self {
        bits
    }
}

/// In whatever vectors the build targets.
fn portable<const W: usize>(left: &[[f32; ROWS]], right: &[[f32; W]]) -> Tile<W> {
    let mut tile = [[0.0; W]; ROWS];
    for (left, right) in left.iter().zip(right) {
        for (row, left) in tile.iter_mut().zip(left) {
            for (sum, right) in row.iter_mut().zip(right) {
                *sum += left * right;
            }
        }
    }
    tile
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps,
        _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_storeu_ps,
    };

    use super::{ROWS, Tile};

    /// All rows at once: 8 · V sums in registers of 16.
    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512<const W: usize, const V: usize>(
        left: &[[f32; ROWS]],
        right: &[[f32; W]],
    ) -> Tile<W> {
        let mut sums = [[_mm512_setzero_ps(); V]; ROWS];
        for (left, right) in left.iter().zip(right) {
            let right = right.as_chunks::<16>().0;
            let right: [__m512; V] = std::array::from_fn(|v| load512(&right[v]));
            for (sums, left) in sums.iter_mut().zip(left) {
                let left = _mm512_set1_ps(*left);
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = _mm512_fmadd_ps(left, right, *sum);
                }
            }
        }
        let mut tile = [[0.0; W]; ROWS];
        for (row, sums) in tile.iter_mut().zip(sums) {
            for (to, sum) in row.as_chunks_mut::<16>().0.iter_mut().zip(sums) {
                store512(to, sum);
            }
        }
        tile
    }

    /// Four rows and 16 columns at a time: as many sums as half the registers of 8 hold.
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2<const W: usize>(left: &[[f32; ROWS]], right: &[[f32; W]]) -> Tile<W> {
        let mut tile = [[0.0; W]; ROWS];
        for half in 0..2 {
            for part in 0..W / 16 {
                let sums = avx2_part(left, right, half, part);
                for (row, sums) in tile[4 * half..].iter_mut().zip(sums) {
                    let to = row.as_chunks_mut::<8>().0[2 * part..].iter_mut();
                    to.zip(sums).for_each(|(to, sum)| store256(to, sum));
                }
            }
        }
        tile
    }

    #[target_feature(enable = "avx2,fma")]
    fn avx2_part<const W: usize>(
        left: &[[f32; ROWS]],
        right: &[[f32; W]],
        half: usize,
        part: usize,
    ) -> [[__m256; 2]; 4] {
        let mut sums = [[_mm256_setzero_ps(); 2]; 4];
        for (left, right) in left.iter().zip(right) {
            let left = &left.as_chunks::<4>().0[half];
            let right = right.as_chunks::<16>().0[part].as_chunks::<8>().0;
            let right: [__m256; 2] = std::array::from_fn(|v| load256(&right[v]));
            for (sums, left) in sums.iter_mut().zip(left) {
                let left = _mm256_set1_ps(*left);
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = _mm256_fmadd_ps(left, right, *sum);
                }
            }
        }
        sums
    }

    #[target_feature(enable = "avx512f")]
    fn load512(from: &[f32; 16]) -> __m512 {
        #[expect(unsafe_code, reason = "takes a pointer")]
        // SAFETY: 16 elements lie behind the reference; any alignment will do.
        unsafe {
            _mm512_loadu_ps(from.as_ptr())
        }
    }

    #[target_feature(enable = "avx512f")]
    fn store512(to: &mut [f32; 16], value: __m512) {
        #[expect(unsafe_code, reason = "takes a pointer")]
        // SAFETY: as above, and the reference is the only one.
        unsafe {
            _mm512_storeu_ps(to.as_mut_ptr(), value);
        }
    }

    #[target_feature(enable = "avx2")]
    fn load256(from: &[f32; 8]) -> __m256 {
        #[expect(unsafe_code, reason = "takes a pointer")]
        // SAFETY: 8 elements lie behind the reference; any alignment will do.
        unsafe {
            _mm256_loadu_ps(from.as_ptr())
        }
    }

    #[target_feature(enable = "avx2")]
    fn store256(to: &mut [f32; 8], value: __m256) {
        #[expect(unsafe_code, reason = "takes a pointer")]
        // SAFETY: as above, and the reference is the only one.
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::both_paths::random_values;
    use super::super::super::gemm::Write;
    use super::super::panel_product;
    use super::*;

    /// Every path this processor has.
    fn paths<const W: usize, const V: usize>(left: &[f32], right: &[f32]) -> Vec<Tile<W>> {
        let (rows, columns) = (left.as_chunks().0, right.as_chunks().0);
        let mut tiles = vec![f32::multiply::<W, V>(rows, columns), portable(rows, columns)];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "calls code for a processor feature")]
            // SAFETY: the features were detected just above.
            tiles.push(unsafe { x86::avx2(rows, columns) });
        }
        tiles
    }

    fn check<const W: usize, const V: usize>(n: usize) -> Result<(), TestCaseError> {
        let (left, right) = (random_values(1, n * ROWS), random_values(2, n * W));
        for tile in paths::<W, V>(&left, &right) {
            for (row, sums) in tile.iter().enumerate() {
                for (column, sum) in sums.iter().enumerate() {
                    let product =
                        |k: usize| f64::from(left[k * ROWS + row]) * f64::from(right[k * W + column]);
                    let wanted: f64 = (0..n).map(product).sum();
                    prop_assert!((f64::from(*sum) - wanted).abs() < 1e-4, "{row} {column} of {n}");
                }
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn every_path_multiplies(n in 0usize..200) {
            check::<16, 1>(n)?;
            check::<32, 2>(n)?;
            check::<48, 3>(n)?;
        }
    }

    #[test]
    fn a_column_does_not_see_its_neighbours() {
        let n = 77;
        let (left, narrow) = (random_values(3, n * ROWS), random_values(4, n * 16));
        let mut wide = random_values(5, n * 48);
        for (wide, narrow) in wide.chunks_mut(48).zip(narrow.chunks(16)) {
            wide[16..32].copy_from_slice(narrow);
        }
        let mut alone = vec![0.0; ROWS * 16];
        let mut among = vec![0.0; ROWS * 48];
        panel_product(&left, (16, &narrow), &mut alone, Write::Over);
        panel_product(&left, (48, &wide), &mut among, Write::Over);
        for (alone, among) in alone.chunks(16).zip(among.chunks(48)) {
            assert_eq!(alone, &among[16..32]);
        }
    }
}
