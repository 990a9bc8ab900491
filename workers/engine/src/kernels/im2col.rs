//! The matrix a convolution multiplies with, built and used for a range of output positions at a time.

use std::ops::Range;

use rayon::prelude::*;

use super::gemm::{Mat, MatMut, Threads, Write, gemm};
use super::op::Frozen;
use super::product::{Pair, Panels, product};

/// Elements of the matrix one tile of output positions makes: 8 MB, whatever the size of the map.
const TILE_ELEMENTS: usize = 1 << 21;

/// The shape of one image's convolution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
}

impl Window {
    /// Height and width of the output.
    pub(super) fn output(&self) -> (usize, usize) {
        let size = |n: usize| (n + 2 * self.padding - self.kernel) / self.stride + 1;
        (size(self.height), size(self.width))
    }

    /// Rows of the matrix: one per input channel and kernel tap.
    pub(super) fn rows(&self) -> usize {
        self.channels * self.kernel * self.kernel
    }

    /// Whether the matrix is the image itself.
    pub(super) fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// Fills `cols` (rows, count) with the taps of output positions `start..start + count`.
    pub(super) fn gather(&self, image: &[f32], start: usize, count: usize, cols: &mut [f32]) {
        let taps = self.kernel * self.kernel;
        let plane = self.height * self.width;
        cols.par_chunks_mut(count)
            .enumerate()
            .with_min_len(taps)
            .for_each(|(row, line)| {
                let source = &image[row / taps * plane..][..plane];
                self.each_run(row % taps, start, count, |at, run| match run {
                    Run::Outside { count } => line[at..at + count].fill(0.0),
                    Run::Inside { from, count } if self.stride == 1 => {
                        line[at..at + count].copy_from_slice(&source[from..from + count]);
                    }
                    Run::Inside { from, count } => {
                        let strided = source[from..].iter().step_by(self.stride);
                        line[at..at + count]
                            .iter_mut()
                            .zip(strided)
                            .for_each(|(to, from)| *to = *from);
                    }
                });
            });
    }

    /// The adjoint of [`Self::gather`]: adds `cols` (rows, count) onto the image they were taken from.
    pub(super) fn scatter_add(&self, cols: &[f32], start: usize, count: usize, image: &mut [f32]) {
        let taps = self.kernel * self.kernel;
        let plane = self.height * self.width;
        // Each channel belongs to one task, which adds its taps in order: the same bits for any number of threads.
        let channels = image.par_chunks_mut(plane).zip(cols.par_chunks(taps * count));
        channels.for_each(|(target, lines)| {
            for (tap, line) in lines.chunks(count).enumerate() {
                self.each_run(tap, start, count, |at, run| {
                    if let Run::Inside { from, count } = run {
                        let strided = target[from..].iter_mut().step_by(self.stride);
                        strided
                            .zip(&line[at..at + count])
                            .for_each(|(to, from)| *to += from);
                    }
                });
            }
        });
    }

    /// Cuts output positions `start..start + count` of one tap into runs inside one image row, or outside the image.
    fn each_run(&self, tap: usize, start: usize, count: usize, mut each: impl FnMut(usize, Run)) {
        let (_, out_width) = self.output();
        let (ky, kx) = (tap / self.kernel, tap % self.kernel);
        let columns = self.columns_inside(kx, out_width);
        let mut at = 0;
        while at < count {
            let (oy, ox) = ((start + at) / out_width, (start + at) % out_width);
            let end = (ox + count - at).min(out_width);
            let row = (oy * self.stride + ky)
                .checked_sub(self.padding)
                .filter(|row| *row < self.height);
            let from = if row.is_some() {
                columns.start.clamp(ox, end)
            } else {
                end
            };
            let to = columns.end.clamp(from, end);
            each(at, Run::Outside { count: from - ox });
            if let Some(row) = row.filter(|_| to > from) {
                let source = row * self.width + from * self.stride + kx - self.padding;
                each(
                    at + from - ox,
                    Run::Inside {
                        from: source,
                        count: to - from,
                    },
                );
            }
            each(at + to - ox, Run::Outside { count: end - to });
            at += end - ox;
        }
    }

    /// Output columns for which the tap in kernel column `kx` falls into the image.
    fn columns_inside(&self, kx: usize, out_width: usize) -> Range<usize> {
        let first = self.padding.saturating_sub(kx).div_ceil(self.stride);
        let beyond = (self.width + self.padding)
            .saturating_sub(kx)
            .div_ceil(self.stride);
        first.min(out_width)..beyond.min(out_width)
    }
}

/// Consecutive output positions of one tap.
enum Run {
    /// The tap lies in the padding.
    Outside { count: usize },
    /// The tap reads the image from this index on, `stride` apart.
    Inside { from: usize, count: usize },
}

/// One image's convolution, a range of output positions at a time in one buffer.
pub(super) struct Tile<'a> {
    window: &'a Window,
    plane: usize,
    count: usize,
    cols: Vec<f32>,
}

impl<'a> Tile<'a> {
    pub(super) fn new(window: &'a Window, plane: usize) -> Self {
        let count = (TILE_ELEMENTS / window.rows()).max(64).min(plane);
        let length = if window.is_pointwise() {
            0
        } else {
            window.rows() * count
        };
        Self {
            window,
            plane,
            count,
            cols: vec![0.0; length],
        }
    }

    /// `y (cout, plane) += weight (cout, rows) · cols (rows, plane)`.
    pub(super) fn forward(&mut self, weight: &Left<'_>, x: &[f32], y: &mut [f32]) {
        let (rows, plane) = (self.window.rows(), self.plane);
        let outputs = y.len() / plane;
        if self.window.is_pointwise() {
            let out = MatMut::packed(y, outputs, plane);
            return weight.times(Mat::packed(x, rows, plane), out, Write::Add);
        }
        for start in (0..plane).step_by(self.count) {
            let count = self.count.min(plane - start);
            let cols = &mut self.cols[..rows * count];
            self.window.gather(x, start, count, cols);
            let out = MatMut::strided(&mut y[start..], outputs, count, plane);
            weight.times(Mat::packed(cols, rows, count), out, Write::Add);
        }
    }

    /// `dx += fold(turned (rows, cout) · dy (cout, plane))`, where `turned` is the weight's transpose.
    pub(super) fn backward(&mut self, turned: &Left<'_>, dy: &[f32], dx: &mut [f32]) {
        let (rows, plane) = (self.window.rows(), self.plane);
        let outputs = dy.len() / plane;
        if self.window.is_pointwise() {
            let out = MatMut::packed(dx, rows, plane);
            return turned.times(Mat::packed(dy, outputs, plane), out, Write::Over);
        }
        for start in (0..plane).step_by(self.count) {
            let count = self.count.min(plane - start);
            let cols = &mut self.cols[..rows * count];
            let dy = Mat::strided(&dy[start..], outputs, count, plane);
            turned.times(dy, MatMut::packed(cols, rows, count), Write::Over);
            self.window.scatter_add(cols, start, count, dx);
        }
    }

    /// `dw (cout, rows) += dy (cout, plane) · transpose of cols (rows, plane)`.
    pub(super) fn learn(&mut self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        let (rows, plane) = (self.window.rows(), self.plane);
        let outputs = dy.len() / plane;
        for start in (0..plane).step_by(self.count) {
            let count = self.count.min(plane - start);
            let cols = if self.window.is_pointwise() {
                Mat::strided(&x[start..], rows, count, plane)
            } else {
                let cols = &mut self.cols[..rows * count];
                self.window.gather(x, start, count, cols);
                Mat::packed(cols, rows, count)
            };
            let (dy, out) = (
                Mat::strided(&dy[start..], outputs, count, plane),
                MatMut::packed(dw, outputs, rows),
            );
            gemm(out, dy, cols.t(), Write::Add, Threads::All);
        }
    }
}

/// The frozen matrix of a convolution (cout, rows), or its transpose.
pub(super) enum Left<'a> {
    F32(Mat<'a>),
    Bf16(Panels<Pair>),
}

impl<'a> Left<'a> {
    pub(super) fn new(weight: Frozen<'a>, rows: usize, cols: usize) -> Self {
        match weight {
            Frozen::F32(weight) => Self::F32(Mat::packed(weight, rows, cols)),
            Frozen::Bf16(weight) => Self::Bf16(Panels::left(Mat::packed(weight, rows, cols))),
        }
    }

    pub(super) fn transposed(weight: Frozen<'a>, rows: usize, cols: usize) -> Self {
        match weight {
            Frozen::F32(weight) => Self::F32(Mat::packed(weight, rows, cols).t()),
            Frozen::Bf16(weight) => Self::Bf16(Panels::left(Mat::packed(weight, rows, cols).t())),
        }
    }

    fn times(&self, right: Mat<'_>, out: MatMut<'_>, write: Write) {
        match self {
            Self::F32(left) => gemm(out, *left, right, write, Threads::All),
            Self::Bf16(left) => product(left, &Panels::right(right), out, write),
        }
    }
}
