//! The gradients of a layer norm's scale and shift.

use candle_core::{D, Result, Shape};

use super::super::layer_norm::LayerNorm;
use super::super::moments::moments;
use super::super::wide::wide;
use super::{Gradients, Learns, sums};

impl Learns for LayerNorm {
    /// Sums over rows of dy times the normalised row, and of dy. Both come of one pass, which is cheap.
    fn learn(&self, x: &[f32], shape: &Shape, dy: &[f32], [weight, bias]: [bool; 2]) -> Result<Gradients> {
        let width = shape.dim(D::Minus1)?;
        let mut dw = sums::over_rows(x.len() / width, 2 * width, |row, sums| {
            let row = row * width..(row + 1) * width;
            add_row(sums, &x[row.clone()], &dy[row], self.eps);
        });
        let db = dw.split_off(width);
        Ok([weight.then_some(dw), bias.then_some(db)])
    }
}

/// Adds onto the sums for the scale, behind which lie those for the shift.
fn add_row(sums: &mut [f32], x: &[f32], dy: &[f32], eps: f64) {
    let (mean, rstd) = moments(x, eps);
    let (dw, db) = sums.split_at_mut(x.len());
    wide(
        #[inline(always)]
        || {
            for (((dw, db), x), dy) in dw.iter_mut().zip(db).zip(x).zip(dy) {
                *dw += dy * ((x - mean) * rstd);
                *db += dy;
            }
        },
    );
}
