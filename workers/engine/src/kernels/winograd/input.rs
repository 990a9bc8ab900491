//! From a map to its transform.

use pulp::{Arch, Simd, WithSimd};

use super::super::product::WIDTH;
use super::panel::{EDGE, Maps, REACH, Run};
use super::points;

/// Numbers kept of a row of the map: those of a panel's tiles, in whole vectors.
const ROW: usize = EDGE * WIDTH + 16;

/// Room for one channel of a panel.
pub(super) struct Scratch {
    /// Six rows of the map, as long as a run is.
    rows: Vec<f32>,
    /// After the transform downwards: for each of six rows the first four numbers of every tile, ...
    heads: Vec<f32>,
    /// ... and the four that follow, of which two belong to the tile.
    tails: Vec<f32>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            rows: vec![0.0; REACH * ROW],
            heads: vec![0.0; REACH * ROW],
            tails: vec![0.0; REACH * ROW],
        }
    }

    /// Transforms the tiles `runs` of one channel; `plane` gives an image's map. At every point `width` numbers go to
    /// `out`, the points `stride` elements apart. Within a vector the tiles stand in the order in which the processor
    /// separates fours; [`super::output`] undoes it.
    pub(super) fn transform<'a>(
        &mut self,
        maps: &Maps,
        runs: &[Run],
        plane: impl Fn(usize) -> &'a [f32],
        (out, stride, width): (&mut [f32], usize, usize),
    ) {
        let arch = Arch::new();
        for run in runs {
            let span = EDGE * run.count + 2;
            self.copy(maps, run, plane(run.image), span);
            let rows = &mut self.rows;
            arch.dispatch(Down { rows, span });
            let (at, length) = (EDGE * run.lane, EDGE * run.count);
            for (y, row) in self.rows.chunks(ROW).enumerate() {
                self.heads[y * ROW + at..][..length].copy_from_slice(&row[..length]);
                self.tails[y * ROW + at..][..length].copy_from_slice(&row[EDGE..EDGE + length]);
            }
        }
        let (heads, tails) = (&self.heads, &self.tails);
        arch.dispatch(Across {
            heads,
            tails,
            out,
            stride,
            width,
        });
    }

    /// The six rows of the map that a run reads, with zeros outside.
    fn copy(&mut self, maps: &Maps, run: &Run, plane: &[f32], span: usize) {
        let left = usize::from(run.column == 0);
        let from = EDGE * run.column + left - 1;
        let inside = (maps.width - from).min(span - left);
        for (y, row) in self.rows.chunks_mut(ROW).enumerate() {
            let source = (EDGE * run.row + y).checked_sub(1).filter(|y| *y < maps.height);
            if let Some(source) = source {
                row[0] = 0.0;
                row[left..left + inside].copy_from_slice(&plane[source * maps.width + from..][..inside]);
                row[left + inside..span + 2].fill(0.0);
            } else {
                row[..span + 2].fill(0.0);
            }
        }
    }
}

/// Transforms columns of six numbers in place.
struct Down<'a> {
    rows: &'a mut [f32],
    span: usize,
}

impl WithSimd for Down<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "as in `points`")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        for at in (0..self.span).step_by(S::F32_LANES) {
            let mut column = [s.splat_f32s(0.0); REACH];
            for (y, value) in column.iter_mut().enumerate() {
                *value = points::load::<S>(self.rows, y * ROW + at);
            }
            for (y, value) in points::input(s, column).into_iter().enumerate() {
                points::store::<S>(self.rows, y * ROW + at, value);
            }
        }
    }
}

/// Transforms rows of six numbers, whole vectors of tiles at a time.
struct Across<'a> {
    heads: &'a [f32],
    tails: &'a [f32],
    out: &'a mut [f32],
    stride: usize,
    width: usize,
}

impl WithSimd for Across<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "as in `points`")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        for y in 0..REACH {
            for lane in (0..self.width).step_by(S::F32_LANES) {
                let from = y * ROW + EDGE * lane;
                let [d0, d1, d2, d3] = fours(s, self.heads, from);
                let [d4, d5, ..] = fours(s, self.tails, from);
                let values = points::input(s, [d0, d1, d2, d3, d4, d5]);
                for (x, value) in values.into_iter().enumerate() {
                    points::store::<S>(self.out, (y * REACH + x) * self.stride + lane, value);
                }
            }
        }
    }
}

/// The first numbers of as many fours as a vector holds, the second numbers, and so on.
#[expect(clippy::inline_always, reason = "as in `points`")]
#[inline(always)]
fn fours<S: Simd>(s: S, of: &[f32], from: usize) -> [S::f32s; EDGE] {
    let mut fours = [s.splat_f32s(0.0); EDGE];
    for (i, four) in fours.iter_mut().enumerate() {
        *four = points::load::<S>(of, from + i * S::F32_LANES);
    }
    s.deinterleave_shfl_f32s(fours)
}
