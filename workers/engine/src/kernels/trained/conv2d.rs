//! The gradients of a convolution's kernels and shift.

use candle_core::{Result, Shape};
use rayon::prelude::*;

use super::super::conv2d::FrozenConv2d;
use super::super::im2col::Tile;
use super::{Gradients, Learns, sums};

impl Learns for FrozenConv2d {
    fn learn(&self, x: &[f32], shape: &Shape, dy: &[f32], [weight, bias]: [bool; 2]) -> Result<Gradients> {
        let window = self.window(shape)?;
        let (height, width) = window.output();
        let (plane, outputs) = (height * width, self.outputs());
        let dw = weight.then(|| {
            let mut dw = vec![0.0; outputs * window.rows()];
            let size = window.channels * window.height * window.width;
            let mut tile = Tile::new(&window, plane);
            for (x, dy) in x.chunks(size).zip(dy.chunks(outputs * plane)) {
                tile.learn(x, dy, &mut dw);
            }
            dw
        });
        let db = bias.then(|| {
            let planes: Vec<f64> = dy.par_chunks(plane).map(sums::over_plane).collect();
            sums::over_images(planes.into_iter(), outputs)
        });
        Ok([dw, db])
    }
}
