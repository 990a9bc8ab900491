//! Matrix products in bfloat16: with a frozen matrix that is kept in it, and in attention. What is f32 is rounded on the way,
//! sums are f32.
//!
//! On a processor with AVX512-BF16 an instruction multiplies and adds twice as much as for f32. Elsewhere the same products
//! are computed in f32, at two thirds of the speed of an f32 matrix, and what is saved is memory. Work is cut by shape
//! alone, and every element is summed in one order: results do not depend on the number of threads, or on what else is
//! computed in the call.

mod panels;
#[cfg(test)]
mod tests;
mod tile;

use rayon::prelude::*;

pub(super) use panels::{Panels, rounded};
use tile::{ROWS, Tile, WIDTH, multiply};

use super::gemm::{MatMut, Write, span};

/// Pairs of the summed index at a time: with them, a panel of eight rows stays in a core's first cache.
const DEPTH: usize = 512;
/// Panels of eight rows that share what they read of the other operand.
const LEFTS: usize = 4;
/// Into so many tasks a product is cut, if it has the parts: by rows and, where those are too few, by columns.
const TASKS: usize = 64;

/// `out = left · right`, or `out += left · right`.
///
/// # Panics
/// If the shapes do not fit or a slice is shorter than its matrix: a mistake in a kernel, never in its input.
pub(super) fn product(left: &Panels, right: &Panels, out: MatMut<'_>, write: Write) {
    let MatMut {
        data,
        rows,
        cols,
        row_stride,
    } = out;
    assert_eq!((left.lines, right.lines), (rows, cols), "matrix shapes");
    assert_eq!(left.pairs, right.pairs, "matrix shapes");
    assert!(data.len() >= span(rows, cols, row_stride, 1), "output too short");
    assert!(rows <= 1 || row_stride >= cols, "output rows overlap");
    if cols == 0 {
        return;
    }
    let lines = data.chunks_mut(row_stride).take(rows).map(|row| &mut row[..cols]);
    let tasks = tasks(lines.collect()).into_par_iter();
    tasks.for_each(|task| task.run(left, right, write));
}

/// `out (8, width) = left (8, pairs) · right (pairs, width)`, or `+=`: a panel of rows times one of columns, over the pairs
/// that both have.
pub(super) fn panel_product(left: &[u32], right: (usize, &[u32]), out: &mut [f32], write: Write) {
    let rows = out.chunks_mut(right.0);
    tile_product(left, right, rows, write);
}

/// A part of the output: some panels of rows, and some panels of columns.
struct Task<'a> {
    /// The first panel of rows, and the first of columns.
    first: (usize, usize),
    rows: Vec<&'a mut [f32]>,
}

fn tasks(rows: Vec<&mut [f32]>) -> Vec<Task<'_>> {
    let cols = rows.first().map_or(0, |row| row.len());
    let (blocks, panels) = (rows.len().div_ceil(LEFTS * ROWS), cols.div_ceil(WIDTH));
    let wide = panels.div_ceil(TASKS.div_ceil(blocks.max(1)).min(panels.max(1)));
    let mut tasks: Vec<Task<'_>> = Vec::new();
    for (row, elements) in rows.into_iter().enumerate() {
        let block = row / (LEFTS * ROWS);
        for (part, elements) in elements.chunks_mut(wide * WIDTH).enumerate() {
            if row % (LEFTS * ROWS) == 0 {
                let first = (block * LEFTS, part * wide);
                tasks.push(Task {
                    first,
                    rows: Vec::new(),
                });
            }
            let parts = panels.div_ceil(wide);
            tasks[block * parts + part].rows.push(elements);
        }
    }
    tasks
}

impl Task<'_> {
    fn run(mut self, left: &Panels, right: &Panels, write: Write) {
        let cols = self.rows[0].len();
        for (panel, column) in (0..cols).step_by(WIDTH).enumerate() {
            let (width, words) = right.at(self.first.1 + panel);
            let columns = column..cols.min(column + width);
            for (depth, right) in words.chunks(DEPTH * width).enumerate() {
                let write = if depth == 0 { write } else { Write::Add };
                for (group, rows) in self.rows.chunks_mut(ROWS).enumerate() {
                    let (_, left) = left.at(self.first.0 + group);
                    let left = &left[depth * DEPTH * ROWS..];
                    let rows = rows.iter_mut().map(|row| &mut row[columns.clone()]);
                    tile_product(left, (width, right), rows, write);
                }
            }
        }
    }
}

fn tile_product<'a>(
    left: &[u32],
    (width, right): (usize, &[u32]),
    rows: impl Iterator<Item = &'a mut [f32]>,
    write: Write,
) {
    let left = left.as_chunks::<ROWS>().0;
    match width {
        16 => put(&part::<16, 1>(left, right), rows, write),
        32 => put(&part::<32, 2>(left, right), rows, write),
        _ => put(&part::<48, 3>(left, right), rows, write),
    }
}

fn put<'a, const W: usize>(tile: &Tile<W>, rows: impl Iterator<Item = &'a mut [f32]>, write: Write) {
    for (row, sums) in rows.zip(tile) {
        let row = row.iter_mut().zip(sums);
        match write {
            Write::Over => row.for_each(|(out, sum)| *out = *sum),
            Write::Add => row.for_each(|(out, sum)| *out += sum),
        }
    }
}

/// The sums over as many pairs as `right` has.
fn part<const W: usize, const V: usize>(left: &[[u32; ROWS]], right: &[u32]) -> Tile<W> {
    multiply::<W, V>(left, right.as_chunks::<W>().0)
}

#[cfg(test)]
mod products {
    use half::bf16;
    use proptest::prelude::*;

    use super::super::both_paths::random_values;
    use super::super::gemm::Mat;
    use super::*;

    fn rounded(seed: u32, count: usize) -> Vec<bf16> {
        random_values(seed, count)
            .into_iter()
            .map(bf16::from_f32)
            .collect()
    }

    proptest! {
        #[test]
        fn every_element_is_a_sum_of_products(m in 1usize..70, n in 1usize..130, inner in 1usize..50, gap in 0usize..9) {
            let (left, right) = (rounded(1, m * inner), rounded(2, inner * n));
            let right: Vec<f32> = right.iter().map(|value| value.to_f32()).collect();
            let sum = |row: usize, column: usize| -> f32 {
                let of = |k: usize| left[row * inner + k].to_f32() * right[k * n + column];
                (0..inner).map(of).sum()
            };
            let stride = n + gap;
            let (left, right) = (Panels::left(Mat::packed(&left, m, inner)), Panels::right(Mat::packed(&right, inner, n)));
            for (write, before) in [(Write::Add, 1.0), (Write::Over, 0.0)] {
                let mut out = vec![1.0; m * stride];
                product(&left, &right, MatMut::strided(&mut out, m, n, stride), write);
                for row in 0..m {
                    for column in 0..stride {
                        let wanted = if column < n { before + sum(row, column) } else { 1.0 };
                        prop_assert!((out[row * stride + column] - wanted).abs() < 1e-4, "{row} {column}");
                    }
                }
            }
        }
    }

    /// More than one part of the summed index: only the first overwrites.
    #[test]
    fn long_sums_are_whole() {
        for (inner, n) in [(2 * DEPTH + 1, 16), (4 * DEPTH + 1, 32), (4 * DEPTH + 77, 100)] {
            let m = 11;
            let (left, right) = (rounded(5, m * inner), rounded(6, inner * n));
            let panels = (
                Panels::left(Mat::packed(&left, m, inner)),
                Panels::right(Mat::packed(&right, inner, n)),
            );
            for (write, before) in [(Write::Add, 1.0), (Write::Over, 0.0)] {
                let mut out = vec![1.0; m * n];
                product(&panels.0, &panels.1, MatMut::packed(&mut out, m, n), write);
                for (at, found) in out.iter().enumerate() {
                    let (row, column) = (at / n, at % n);
                    let of = |k: usize| f64::from(left[row * inner + k]) * f64::from(right[k * n + column]);
                    let wanted = before + (0..inner).map(of).sum::<f64>();
                    assert!(
                        (f64::from(*found) - wanted).abs() < 1e-3,
                        "{inner}: {row} {column}"
                    );
                }
            }
        }
    }

    /// Every element belongs to one task.
    #[test]
    fn tasks_cover_the_output() {
        for (rows, cols) in [(1, 1), (1, 10_000), (33, 49), (320, 4096), (4096, 320)] {
            let mut out = vec![0.0; rows * cols];
            for task in tasks(out.chunks_mut(cols).collect()) {
                task.rows
                    .into_iter()
                    .flatten()
                    .for_each(|element| *element += 1.0);
            }
            assert_eq!(out, vec![1.0; rows * cols], "{rows} {cols}");
        }
    }

    /// More than one part of the summed index, and neighbours of any number on both sides.
    #[test]
    fn an_element_does_not_see_its_neighbours() {
        let inner = 2 * DEPTH + 77;
        let (left, right) = (rounded(3, 40 * inner), random_values(4, 100 * inner));
        let of = |rows: usize, columns: usize| {
            let left = Panels::left(Mat::packed(&left[..rows * inner], rows, inner));
            let right = Panels::right(Mat::packed(&right[..columns * inner], columns, inner).t());
            let mut out = vec![0.0; rows * columns];
            product(&left, &right, MatMut::packed(&mut out, rows, columns), Write::Add);
            out
        };
        let all = of(40, 100);
        for (rows, columns) in [(1, 1), (7, 17), (9, 33), (39, 49), (40, 99)] {
            for (row, all) in of(rows, columns).chunks(columns).zip(all.chunks(100)) {
                assert_eq!(row, &all[..columns], "{rows} {columns}");
            }
        }
    }
}
