//! Matrices in the order in which a tile reads them.

use std::ops::Range;

use rayon::prelude::*;

use super::super::gemm::Mat;
use super::super::transpose::{self, transpose};
use super::tile::{LANES, ROWS, WIDTH};
use super::{Hold, Word};

/// An operand of a product: its lines (rows of the left one, columns of the right one) in panels of one width, of which the
/// last holds as many lines as are left and is filled up with zeros.
///
/// A panel holds its lines' first words, then their second ones, and so on. A last word that a line does not fill ends in zero.
#[derive(Debug)]
pub(in crate::kernels) struct Panels<W> {
    lines: usize,
    /// Words of a line.
    pub(super) depth: usize,
    width: usize,
    words: Vec<W>,
}

impl<W: Word> Panels<W> {
    /// Packs the left operand (rows, inner) in parallel.
    pub(in crate::kernels) fn left<T: Copy + Sync>(matrix: Mat<'_, T>) -> Self
    where
        W: Hold<T>,
    {
        Self::pack(matrix, ROWS)
    }

    /// Packs the right operand (inner, columns) in parallel.
    pub(in crate::kernels) fn right<T: Copy + Sync>(matrix: Mat<'_, T>) -> Self
    where
        W: Hold<T>,
    {
        Self::pack(matrix.t(), WIDTH)
    }

    fn pack<T: Copy + Sync>(lines: Mat<'_, T>, width: usize) -> Self
    where
        W: Hold<T>,
    {
        let depth = lines.cols.div_ceil(W::ELEMENTS);
        let last = lines.rows % width;
        let filled = lines.rows - last + last.next_multiple_of(LANES.min(width));
        let mut words = vec![W::default(); filled * depth];
        if depth > 0 {
            let panels = words.par_chunks_mut(width * depth).enumerate();
            panels.for_each(|(panel, words)| fill(&lines, panel * width, (words.len() / depth, words)));
        }
        Self {
            lines: lines.rows,
            depth,
            width,
            words,
        }
    }

    /// Rows of the left operand, or columns of the right one.
    pub(in crate::kernels) fn lines(&self) -> usize {
        self.lines
    }

    /// A panel's width, and its words: so many for every one of a line.
    pub(in crate::kernels) fn at(&self, panel: usize) -> (usize, &[W]) {
        let size = self.width * self.depth;
        let words = &self.words[panel * size..];
        let words = &words[..size.min(words.len())];
        (words.len() / self.depth.max(1), words)
    }
}

/// Fills `words` (depth, width), which are zeros, with the lines from `first` on.
fn fill<T, W: Hold<T>>(lines: &Mat<'_, T>, first: usize, (width, words): (usize, &mut [W])) {
    let range = first..lines.rows.min(first + width);
    if lines.col_stride == 1 {
        turn(lines, range, (width, words));
    } else {
        interleave(lines, range, (width, words));
    }
}

/// Of a matrix whose columns lie in one piece, as many columns as a word holds become a row of words.
fn interleave<T, W: Hold<T>>(matrix: &Mat<'_, T>, rows: Range<usize>, (width, words): (usize, &mut [W])) {
    let column = |place: usize| &matrix.data[place * matrix.col_stride..][rows.clone()];
    for (place, to) in words.chunks_mut(width).enumerate() {
        let first = W::ELEMENTS * place;
        let second = (first + 1..matrix.cols.min(first + W::ELEMENTS)).next();
        W::join(column(first), second.map(column), to);
    }
}

/// Of a matrix whose rows lie in one piece, eight rows of words at a time become columns.
fn turn<T, W: Hold<T>>(matrix: &Mat<'_, T>, rows: Range<usize>, (width, words): (usize, &mut [W])) {
    let depth = matrix.cols.div_ceil(W::ELEMENTS);
    // Words travel as f32 through the transposition, which only moves them.
    let mut lines = vec![0.0; transpose::ROWS * depth];
    for (group, first) in rows.clone().step_by(transpose::ROWS).enumerate() {
        let last = rows.end.min(first + transpose::ROWS);
        for (row, line) in (first..last).zip(lines.chunks_mut(depth)) {
            W::read(&matrix.data[row * matrix.row_stride..][..matrix.cols], line);
        }
        lines[(last - first) * depth..].fill(0.0);
        transpose(&lines, depth, depth, |place, column| {
            let to = &mut words[place * width + group * transpose::ROWS..][..transpose::ROWS];
            to.copy_from_slice(&column.map(W::of_bits));
        });
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;
    use proptest::prelude::*;

    use super::super::super::both_paths::random_values;
    use super::super::Pair;
    use super::*;

    /// Every word holds what `wanted` makes of the elements of its line.
    fn check<W: Hold<f32> + PartialEq + std::fmt::Debug>(
        (lines, inner): (usize, usize),
        wanted: impl Fn(&[f32]) -> W,
    ) -> Result<(), TestCaseError> {
        let values = random_values(7, lines * inner);
        for matrix in [
            Mat::packed(&values, lines, inner),
            Mat::packed(&values, inner, lines).t(),
        ] {
            for panels in [Panels::<W>::left(matrix), Panels::<W>::right(matrix.t())] {
                let placed =
                    (0..panels.words.len().div_ceil(panels.width * panels.depth)).flat_map(|panel| {
                        let (width, words) = panels.at(panel);
                        let line = move |at: usize| (panel * panels.width + at % width, at / width);
                        words.iter().enumerate().map(move |(at, word)| (line(at), *word))
                    });
                for ((line, word), found) in placed {
                    let element = |place: usize| {
                        let at = line * matrix.row_stride + place * matrix.col_stride;
                        if line < lines && place < inner {
                            values[at]
                        } else {
                            0.0
                        }
                    };
                    let elements = word * W::ELEMENTS..(word + 1) * W::ELEMENTS;
                    let elements: Vec<f32> = elements.map(element).collect();
                    prop_assert_eq!(found, wanted(&elements), "{} {}", line, word);
                }
                prop_assert_eq!(panels.lines, lines);
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn every_element_finds_its_place(lines in 1usize..150, inner in 1usize..40) {
            check((lines, inner), |elements| elements[0])?;
            check((lines, inner), |elements| {
                let bits = |value: f32| u32::from(bf16::from_f32(value).to_bits());
                Pair(bits(elements[0]) | bits(elements[1]) << 16)
            })?;
        }
    }
}
