//! Between a map and its tokens.

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::Chain;
use super::op::{self, FrozenOp, with_elements};
use super::transpose::{ROWS, transpose};

/// Columns that a task turns into rows.
const COLUMNS: usize = 64;

impl Chain {
    /// Pixels become tokens: (b, c, h, w) -> (b, h·w, c).
    ///
    /// # Errors
    /// It is no map.
    pub fn into_tokens(self) -> Result<Self> {
        let (b, c, h, w) = self.shape().dims4()?;
        self.then(Turn {
            to: (b, h * w, c).into(),
        })
    }

    /// Tokens become pixels: (b, h·w, c) -> (b, c, h, w).
    ///
    /// # Errors
    /// There are not as many tokens as pixels.
    pub fn into_map(self, (h, w): (usize, usize)) -> Result<Self> {
        let (b, n, c) = self.shape().dims3()?;
        if n != h * w {
            bail!("into_map: {n} tokens for {h}x{w} pixels");
        }
        self.then(Turn {
            to: (b, c, h, w).into(),
        })
    }
}

/// Every sample is a matrix of so many rows as its first dimension has, which is transposed.
pub(super) struct Turn {
    pub(super) to: Shape,
}

/// Rows and columns of a sample.
fn sides(shape: &Shape) -> (usize, usize) {
    let dims = shape.dims();
    (dims[1], dims[2..].iter().product())
}

impl FrozenOp for Turn {
    fn reads_input(&self) -> bool {
        false
    }

    fn cpu(&self, x: &[f32], shape: &Shape) -> Result<(Vec<f32>, Shape)> {
        Ok((turned(x, sides(shape)), self.to.clone()))
    }

    fn device(&self, x: &Tensor) -> Result<Tensor> {
        let (rows, columns) = sides(x.shape());
        let turned = x.reshape(((), rows, columns))?.transpose(1, 2)?;
        turned.contiguous()?.reshape(&self.to)
    }

    fn cpu_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (rows, columns) = sides(x.shape());
        let dx = with_elements(dy, |dy| Ok(turned(dy, (columns, rows))))?;
        op::tensor_like(x, dx)
    }

    fn device_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (rows, columns) = sides(x.shape());
        let turned = dy.reshape(((), columns, rows))?.transpose(1, 2)?;
        turned.contiguous()?.reshape(x.shape())
    }
}

/// Matrices of `rows` x `columns`, one behind the other, transposed.
fn turned(x: &[f32], (rows, columns): (usize, usize)) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    let size = (rows * columns).max(1);
    let samples = y.par_chunks_mut(size).zip(x.par_chunks(size));
    samples.for_each(|(y, x)| {
        let parts = y.par_chunks_mut(COLUMNS * rows).enumerate();
        parts.for_each(|(part, y)| turn_columns(y, x, part * COLUMNS, (rows, columns)));
    });
    y
}

/// The columns of `x` from `first` on, as many as `y` has room for, become rows of `y`.
fn turn_columns(y: &mut [f32], x: &[f32], first: usize, (rows, columns): (usize, usize)) {
    let count = y.len() / rows;
    let whole = rows / ROWS * ROWS;
    for row in (0..whole).step_by(ROWS) {
        transpose(&x[row * columns + first..], columns, count, |column, values| {
            y[column * rows + row..][..ROWS].copy_from_slice(&values);
        });
    }
    for row in whole..rows {
        for column in 0..count {
            y[column * rows + row] = x[row * columns + first + column];
        }
    }
}
