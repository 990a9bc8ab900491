//! Eight rows at a time into columns.

/// Rows taken together.
pub(super) const ROWS: usize = 8;

/// Calls `put` with every column of the first `columns` of eight rows, which begin `stride` elements apart.
pub(super) fn transpose<T: Copy + Into<f32>>(
    from: &[T],
    stride: usize,
    columns: usize,
    mut put: impl FnMut(usize, [f32; ROWS]),
) {
    let whole = columns / ROWS * ROWS;
    for first in (0..whole).step_by(ROWS) {
        let mut square = [[0.0; ROWS]; ROWS];
        for (row, values) in square.iter_mut().enumerate() {
            let from = &from[row * stride + first..][..ROWS];
            values
                .iter_mut()
                .zip(from)
                .for_each(|(to, from)| *to = (*from).into());
        }
        for (column, values) in square_of(&square).into_iter().enumerate() {
            put(first + column, values);
        }
    }
    for column in whole..columns {
        put(
            column,
            std::array::from_fn(|row| from[row * stride + column].into()),
        );
    }
}

fn square_of(rows: &[[f32; ROWS]; ROWS]) -> [[f32; ROWS]; ROWS] {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx") {
        #[expect(unsafe_code, reason = "calls code for a processor feature")]
        // SAFETY: the feature was detected just above.
        return unsafe { x86::avx(rows) };
    }
    std::array::from_fn(|column| rows.map(|row| row[column]))
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps,
        _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };

    use super::ROWS;

    #[target_feature(enable = "avx")]
    pub(super) fn avx(rows: &[[f32; ROWS]; ROWS]) -> [[f32; ROWS]; ROWS] {
        let [r0, r1, r2, r3] = [load(&rows[0]), load(&rows[1]), load(&rows[2]), load(&rows[3])];
        let [r4, r5, r6, r7] = [load(&rows[4]), load(&rows[5]), load(&rows[6]), load(&rows[7])];
        // Fours of a pair of columns, then of four rows, then of all eight.
        let (a0, a1) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
        let (a2, a3) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
        let (a4, a5) = (_mm256_unpacklo_ps(r4, r5), _mm256_unpackhi_ps(r4, r5));
        let (a6, a7) = (_mm256_unpacklo_ps(r6, r7), _mm256_unpackhi_ps(r6, r7));
        let (b0, b1) = (
            _mm256_shuffle_ps::<0x44>(a0, a2),
            _mm256_shuffle_ps::<0xee>(a0, a2),
        );
        let (b2, b3) = (
            _mm256_shuffle_ps::<0x44>(a1, a3),
            _mm256_shuffle_ps::<0xee>(a1, a3),
        );
        let (b4, b5) = (
            _mm256_shuffle_ps::<0x44>(a4, a6),
            _mm256_shuffle_ps::<0xee>(a4, a6),
        );
        let (b6, b7) = (
            _mm256_shuffle_ps::<0x44>(a5, a7),
            _mm256_shuffle_ps::<0xee>(a5, a7),
        );
        let mut columns = [[0.0; ROWS]; ROWS];
        for (i, (low, high)) in [(b0, b4), (b1, b5), (b2, b6), (b3, b7)].into_iter().enumerate() {
            store(&mut columns[i], _mm256_permute2f128_ps::<0x20>(low, high));
            store(&mut columns[i + 4], _mm256_permute2f128_ps::<0x31>(low, high));
        }
        columns
    }

    #[target_feature(enable = "avx")]
    fn load(from: &[f32; ROWS]) -> __m256 {
        #[expect(unsafe_code, reason = "takes a pointer")]
        // SAFETY: 8 elements lie behind the reference; any alignment will do.
        unsafe {
            _mm256_loadu_ps(from.as_ptr())
        }
    }

    #[target_feature(enable = "avx")]
    fn store(to: &mut [f32; ROWS], value: __m256) {
        #[expect(unsafe_code, reason = "takes a pointer")]
        // SAFETY: as above, and the reference is the only one.
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::both_paths::random_values;
    use super::*;

    #[test]
    fn rows_become_columns() {
        for (columns, stride) in [(0, 0), (1, 3), (8, 8), (9, 9), (31, 40)] {
            let from = random_values(1, ROWS * stride);
            let mut seen = 0;
            transpose(&from, stride, columns, |column, values| {
                assert_eq!(column, seen);
                let bits = |row: usize| from[row * stride + column].to_bits();
                assert_eq!(values.map(f32::to_bits), std::array::from_fn(bits));
                seen += 1;
            });
            assert_eq!(seen, columns);
        }
    }
}
