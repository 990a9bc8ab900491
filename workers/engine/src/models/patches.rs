//! Pictures to token streams: the first layer of CLIP's vision tower and of DINO.

use candle_core::{DType, Result, Tensor};

use super::interpolate::bicubic;
use super::layers::Conv2d;

/// Square patches, one class token in front, learned positions.
#[derive(Debug)]
pub(super) struct Patches {
    /// Stride = kernel = edge of a patch.
    pub(super) projection: Conv2d,
    /// (1, width)
    pub(super) class: Tensor,
    /// (1 + side², width)
    pub(super) positions: Tensor,
    /// Patches along a side of the training picture.
    pub(super) side: usize,
}

impl Patches {
    /// (b, 3, h, w) -> (b, 1 + patches, width).
    pub(super) fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let map = self.projection.forward(pixels)?; // (b, width, rows, columns)
        let (b, width, rows, columns) = map.dims4()?;
        let tokens = map.flatten_from(2)?.transpose(1, 2)?; // (b, rows * columns, width)
        let class = self.class.to_dtype(DType::F32)?.expand((b, 1, width))?;
        let tokens = Tensor::cat(&[&class, &tokens.contiguous()?], 1)?;
        tokens.broadcast_add(&self.positions_for(rows, columns)?)
    }

    /// The position table for a grid of another size, as `facebookresearch/dino` makes it.
    ///
    /// It passes `(rows + 0.1) / side` as scale factor (against a rounding accident), and PyTorch then steps by
    /// the inverse of that factor, not by the ratio of the sizes. `transformers` steps by the ratio.
    fn positions_for(&self, rows: usize, columns: usize) -> Result<Tensor> {
        let positions = self.positions.to_dtype(DType::F32)?;
        if (rows, columns) == (self.side, self.side) {
            return Ok(positions);
        }
        let (class, table) = (
            positions.narrow(0, 0, 1)?,
            positions.narrow(0, 1, self.side * self.side)?,
        );
        let width = table.dim(1)?;
        let planes = table.t()?.flatten_all()?.to_vec1::<f32>()?; // width planes of side x side
        let step = |to: usize| (1.0 / ((to as f64 + 0.1) / self.side as f64)) as f32;
        let steps = (step(rows), step(columns));
        let resized = bicubic(&planes, (self.side, self.side), (rows, columns), steps);
        let table = Tensor::from_vec(resized, (width, rows * columns), positions.device())?.t()?;
        Tensor::cat(&[&class, &table.contiguous()?], 0)
    }
}
