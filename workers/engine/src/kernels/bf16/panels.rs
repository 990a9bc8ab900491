//! Matrices of bfloat16 in the order in which a tile reads them.
#![expect(
    clippy::inline_always,
    reason = "a body that is not inlined keeps its own, narrow instructions"
)]

use std::ops::Range;

use half::bf16;
use rayon::prelude::*;

use super::super::gemm::Mat;
use super::super::transpose::{self, transpose};
use super::super::wide::wide;
use super::tile::{LANES, ROWS, WIDTH};

/// An element that bfloat16 can be made of.
pub(in crate::kernels) trait Element: Copy + Sync {
    /// The bits of the nearest bfloat16, ties to even.
    fn bits(self) -> u16;
}

impl Element for bf16 {
    #[inline(always)]
    fn bits(self) -> u16 {
        self.to_bits()
    }
}

impl Element for f32 {
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

#[inline(always)]
fn pair<T: Element>(first: T, second: T) -> u32 {
    u32::from(first.bits()) | u32::from(second.bits()) << 16
}

/// The nearest bfloat16 of every number.
pub(in crate::kernels) fn rounded(values: &[f32]) -> Vec<f32> {
    let nearest = |value: &f32| f32::from_bits(u32::from(value.bits()) << 16);
    values.iter().map(nearest).collect()
}

/// An operand of a product: its lines (rows of the left one, columns of the right one) in panels of one width, of which the
/// last holds as many lines as are left and is filled up with zeros.
///
/// A panel holds its lines' first pairs, then their second ones, and so on. An odd last element is paired with zero.
#[derive(Debug)]
pub(in crate::kernels) struct Panels {
    pub(super) lines: usize,
    pub(super) pairs: usize,
    width: usize,
    words: Vec<u32>,
}

impl Panels {
    /// Packs the left operand (rows, inner) in parallel.
    pub(in crate::kernels) fn left<T: Element>(matrix: Mat<'_, T>) -> Self {
        Self::pack(matrix, ROWS)
    }

    /// Packs the right operand (inner, columns) in parallel.
    pub(in crate::kernels) fn right<T: Element>(matrix: Mat<'_, T>) -> Self {
        Self::pack(matrix.t(), WIDTH)
    }

    fn pack<T: Element>(lines: Mat<'_, T>, width: usize) -> Self {
        let pairs = lines.cols.div_ceil(2);
        let last = lines.rows % width;
        let filled = lines.rows - last + last.next_multiple_of(LANES.min(width));
        let mut words = vec![0; filled * pairs];
        if pairs > 0 {
            let panels = words.par_chunks_mut(width * pairs).enumerate();
            panels.for_each(|(panel, words)| fill(&lines, panel * width, (words.len() / pairs, words)));
        }
        Self {
            lines: lines.rows,
            pairs,
            width,
            words,
        }
    }

    /// A panel's width, and its words: so many for every pair.
    pub(in crate::kernels) fn at(&self, panel: usize) -> (usize, &[u32]) {
        let size = self.width * self.pairs;
        let words = &self.words[panel * size..];
        let words = &words[..size.min(words.len())];
        (words.len() / self.pairs.max(1), words)
    }
}

/// Fills `words` (pairs, width), which are zeros, with the lines from `first` on.
fn fill<T: Element>(lines: &Mat<'_, T>, first: usize, (width, words): (usize, &mut [u32])) {
    let range = first..lines.rows.min(first + width);
    if lines.col_stride == 1 {
        turn(lines, range, (width, words));
    } else {
        interleave(lines, range, (width, words));
    }
}

/// Of a matrix whose columns lie in one piece, two columns become a row of pairs.
fn interleave<T: Element>(matrix: &Mat<'_, T>, rows: Range<usize>, (width, words): (usize, &mut [u32])) {
    let column = |place: usize| &matrix.data[place * matrix.col_stride..][rows.clone()];
    for (place, to) in words.chunks_mut(width).enumerate() {
        let first = column(2 * place);
        if 2 * place + 1 == matrix.cols {
            let alone = |(to, first): (&mut u32, &T)| *to = u32::from(first.bits());
            to.iter_mut().zip(first).for_each(alone);
            continue;
        }
        let second = column(2 * place + 1);
        wide(
            #[inline(always)]
            || {
                let both = first.iter().zip(second);
                to.iter_mut()
                    .zip(both)
                    .for_each(|(to, (a, b))| *to = pair(*a, *b));
            },
        );
    }
}

/// Of a matrix whose rows lie in one piece, eight rows of pairs at a time become columns.
fn turn<T: Element>(matrix: &Mat<'_, T>, rows: Range<usize>, (width, words): (usize, &mut [u32])) {
    let pairs = matrix.cols.div_ceil(2);
    // Words travel as f32 through the transposition, which only moves them.
    let mut lines = vec![0.0; transpose::ROWS * pairs];
    for (group, first) in rows.clone().step_by(transpose::ROWS).enumerate() {
        let last = rows.end.min(first + transpose::ROWS);
        for (row, line) in (first..last).zip(lines.chunks_mut(pairs)) {
            read(&matrix.data[row * matrix.row_stride..][..matrix.cols], line);
        }
        lines[(last - first) * pairs..].fill(0.0);
        transpose(&lines, pairs, pairs, |place, column| {
            let to = &mut words[place * width + group * transpose::ROWS..][..transpose::ROWS];
            to.copy_from_slice(&column.map(f32::to_bits));
        });
    }
}

/// A row's elements as pairs.
fn read<T: Element>(row: &[T], line: &mut [f32]) {
    let (two, alone) = row.as_chunks::<2>();
    wide(
        #[inline(always)]
        || {
            let both = line.iter_mut().zip(two);
            both.for_each(|(to, [a, b])| *to = f32::from_bits(pair(*a, *b)));
        },
    );
    if let (Some(to), [alone]) = (line.last_mut(), alone) {
        *to = f32::from_bits(u32::from(alone.bits()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::both_paths::random_values;
    use super::*;

    proptest! {
        #[test]
        fn every_element_finds_its_place(lines in 1usize..150, inner in 1usize..40) {
            let values = random_values(7, lines * inner);
            for matrix in [Mat::packed(&values, lines, inner), Mat::packed(&values, inner, lines).t()] {
                for panels in [Panels::left(matrix), Panels::right(matrix.t())] {
                    let placed = (0..panels.words.len().div_ceil(panels.width * panels.pairs)).flat_map(|panel| {
                        let (width, words) = panels.at(panel);
                        let line = move |at: usize| (panel * panels.width + at % width, at / width);
                        words.iter().enumerate().map(move |(at, word)| (line(at), *word))
                    });
                    for ((line, pair), word) in placed {
                        let bits = |place: usize| {
                            let at = line * matrix.row_stride + place * matrix.col_stride;
                            let inside = line < lines && place < inner;
                            if inside { bf16::from_f32(values[at]).to_bits() } else { 0 }
                        };
                        let wanted = u32::from(bits(2 * pair)) | u32::from(bits(2 * pair + 1)) << 16;
                        prop_assert_eq!(word, wanted, "{} {}", line, pair);
                    }
                    prop_assert_eq!(panels.lines, lines);
                }
            }
        }

        #[test]
        fn rounding_is_that_of_half(bits: u32) {
            let value = f32::from_bits(bits);
            prop_assert_eq!(Element::bits(value), bf16::from_f32(value).to_bits());
        }
    }
}
