//! The gradients of a linear map's matrix and shift.

use candle_core::{Result, Shape};

use super::super::gemm::{Mat, MatMut, Threads, Write, gemm};
use super::super::linear::FrozenLinear;
use super::super::wide::wide;
use super::{Gradients, Learns, sums};

impl Learns for FrozenLinear {
    /// `dw (out, in) = transpose of dy (rows, out) · x (rows, in)`, and the sum of the rows of dy.
    fn learn(&self, x: &[f32], _: &Shape, dy: &[f32], [weight, bias]: [bool; 2]) -> Result<Gradients> {
        let (outputs, inputs) = self.weight.dims2()?;
        let rows = x.len() / inputs;
        let dw = weight.then(|| {
            let mut dw = vec![0.0; outputs * inputs];
            let (dy, x) = (Mat::packed(dy, rows, outputs), Mat::packed(x, rows, inputs));
            let out = MatMut::packed(&mut dw, outputs, inputs);
            gemm(out, dy.t(), x, Write::Over, Threads::All);
            dw
        });
        let db = bias.then(|| {
            let row = |index: usize| &dy[index * outputs..][..outputs];
            sums::over_rows(rows, outputs, |index, sum| add(sum, row(index)))
        });
        Ok([dw, db])
    }
}

fn add(sum: &mut [f32], row: &[f32]) {
    wide(
        #[inline(always)]
        || {
            for (sum, x) in sum.iter_mut().zip(row) {
                *sum += x;
            }
        },
    );
}
