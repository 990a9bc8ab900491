//! From products to a map.

use pulp::{Arch, Simd, WithSimd};

use super::super::product::WIDTH;
use super::panel::{EDGE, Maps, REACH, Run};
use super::points;

/// Four rows of every tile of a panel, for one channel.
pub(super) struct Scratch(Vec<f32>);

const ROW: usize = EDGE * WIDTH;

impl Scratch {
    pub(super) fn new() -> Self {
        Self(vec![0.0; EDGE * ROW])
    }

    /// Takes `width` products at every point, `stride` elements apart, to outputs plus `bias`.
    pub(super) fn transform(&mut self, (products, stride, width): (&[f32], usize, usize), bias: f32) {
        Arch::new().dispatch(Outputs {
            products,
            stride,
            width,
            bias,
            rows: &mut self.0,
        });
    }

    /// Writes a run's outputs where they belong in the map of its image.
    pub(super) fn place(&self, maps: &Maps, run: &Run, plane: &mut [f32]) {
        let column = EDGE * run.column;
        let length = (EDGE * run.count).min(maps.width - column);
        let rows = plane.chunks_mut(maps.width).skip(EDGE * run.row);
        for (row, values) in rows.zip(self.0.chunks(ROW)) {
            row[column..][..length].copy_from_slice(&values[EDGE * run.lane..][..length]);
        }
    }
}

struct Outputs<'a> {
    products: &'a [f32],
    stride: usize,
    width: usize,
    bias: f32,
    rows: &'a mut [f32],
}

impl WithSimd for Outputs<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "as in `points`")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let zero = s.splat_f32s(0.0);
        for lane in (0..self.width).step_by(S::F32_LANES) {
            let mut across = [[zero; EDGE]; REACH];
            for (y, across) in across.iter_mut().enumerate() {
                let mut row = [zero; REACH];
                for (x, value) in row.iter_mut().enumerate() {
                    *value = points::load::<S>(self.products, (y * REACH + x) * self.stride + lane);
                }
                *across = points::output(s, row);
            }
            let mut tile = [[zero; EDGE]; EDGE];
            for x in 0..EDGE {
                let mut column = [zero; REACH];
                for (value, across) in column.iter_mut().zip(&across) {
                    *value = across[x];
                }
                for (tile, value) in tile.iter_mut().zip(points::output(s, column)) {
                    tile[x] = s.add_f32s(value, s.splat_f32s(self.bias));
                }
            }
            for (y, row) in tile.into_iter().enumerate() {
                for (i, fours) in s.interleave_shfl_f32s(row).into_iter().enumerate() {
                    points::store::<S>(self.rows, y * ROW + EDGE * lane + i * S::F32_LANES, fours);
                }
            }
        }
    }
}
