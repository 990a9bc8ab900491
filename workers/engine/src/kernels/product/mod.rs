//! Matrix products of packed operands: with a frozen matrix that is packed once and for all, with one that is kept in
//! bfloat16, and in attention.
//!
//! Bfloat16 stands in pairs. What is f32 is rounded on the way, sums are f32. On a processor with AVX512-BF16 an instruction
//! multiplies and adds twice as much as for f32. Elsewhere the same products are computed in f32, at two thirds of the speed
//! of an f32 matrix, and what is saved is memory.
//!
//! Work is cut by shape alone, and every element is summed in one order: results do not depend on the number of threads, or
//! on what else is computed in the call.

mod pair;
mod panels;
mod tile;
mod word;

use rayon::prelude::*;

pub(super) use panels::Panels;
use tile::Tile;
pub(super) use tile::{LANES, ROWS, WIDTH, width};
pub(super) use word::{Hold, Pair, Word, rounded};

use super::gemm::{MatMut, Write};

/// Words of the summed index at a time: with them, a panel of eight rows stays in a core's first cache.
const DEPTH: usize = 512;
/// Panels of eight rows that share what they read of the other operand.
const LEFTS: usize = 4;
/// Into so many tasks a product is cut, if it has the parts: by rows and, where those are too few, by columns.
const TASKS: usize = 64;

/// `out = left · right`, or `out += left · right`.
///
/// # Panics
/// If the shapes do not fit or a slice is shorter than its matrix: a mistake in a kernel, never in its input.
pub(super) fn product<W: Word>(left: &Panels<W>, right: &Panels<W>, out: MatMut<'_>, write: Write) {
    out.check();
    let MatMut {
        data,
        rows,
        cols,
        row_stride,
    } = out;
    assert_eq!((left.lines(), right.lines()), (rows, cols), "matrix shapes");
    assert_eq!(left.depth, right.depth, "matrix shapes");
    if cols == 0 {
        return;
    }
    let lines = data.chunks_mut(row_stride).take(rows).map(|row| &mut row[..cols]);
    let tasks = tasks(lines.collect()).into_par_iter();
    tasks.for_each(|task| task.run(left, right, write));
}

/// `out (8, width) = left (8, depth) · right (depth, width)`, or `+=`: a panel of rows times one of columns, over the words
/// that both have.
pub(super) fn panel_product<W: Word>(left: &[W], right: (usize, &[W]), out: &mut [f32], write: Write) {
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
    fn run<W: Word>(mut self, left: &Panels<W>, right: &Panels<W>, write: Write) {
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

fn tile_product<'a, W: Word>(
    left: &[W],
    (width, right): (usize, &[W]),
    rows: impl Iterator<Item = &'a mut [f32]>,
    write: Write,
) {
    let left = left.as_chunks::<ROWS>().0;
    match width {
        16 => put(&part::<W, 16, 1>(left, right), rows, write),
        32 => put(&part::<W, 32, 2>(left, right), rows, write),
        _ => put(&part::<W, 48, 3>(left, right), rows, write),
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

/// The sums over as many words as both have.
fn part<W: Word, const N: usize, const V: usize>(left: &[[W; ROWS]], right: &[W]) -> Tile<N> {
    W::multiply::<N, V>(left, right.as_chunks::<N>().0)
}

#[cfg(test)]
mod tests;
