//! 3x3 convolutions of stride 1 that keep the size of a map, by Winograd's minimal filtering F(4x4, 3x3) (arXiv 1509.09308):
//! 36 products for 16 outputs instead of 144.
//!
//! Tiles of all images stand side by side in the products, so that small maps fill the vectors together; a tile's numbers
//! do not depend on its neighbours. The gradient of the input is such a convolution too, with turned weights.

mod input;
mod output;
mod panel;
mod points;
#[cfg(test)]
mod tests;
mod weight;

use rayon::prelude::*;

use super::gemm::Write;
use super::product::{ROWS, WIDTH, panel_product};
pub(super) use panel::Maps;
use panel::{POINTS, Panel};
pub(super) use weight::Weight;

/// Fewer channels than this, on either side, do not fill the products.
pub(super) const CHANNELS: usize = 16;
/// Nor do smaller maps than this pay for the transform of the weights.
pub(super) const PIXELS: usize = 64;
/// Panels of tiles in flight: their transforms should stay in a core's cache.
const PANELS: usize = 2;
/// Input channels in flight, about.
const INPUTS: usize = 128;
/// Groups of 8 output channels that one task computes.
const GROUPS: usize = 4;
/// Elements left free between what belongs to one point, or tap, and to the next. Transforms touch all points in turn, and 36 numbers whole pages
/// apart want the same few places of a core's first cache.
const APART: usize = 16;

/// One convolution at work.
struct Pass<'a, T> {
    weight: Weight<'a, T>,
    bias: Option<&'a [f32]>,
    maps: Maps,
    /// Input channels handled together; the last time perhaps fewer.
    inputs: usize,
}

/// The transform of some panels: for each panel and each block of input channels, at every point (input, tile).
#[derive(Clone, Copy)]
struct Transformed<'a> {
    panels: &'a [Panel],
    values: &'a [f32],
}

/// Room for one task.
#[derive(Default)]
struct Scratch {
    /// (tap, input, output in the group).
    taps: Vec<f32>,
    /// At every point (group, input, output in the group).
    weights: Vec<f32>,
    /// At every point (panel, group, output in the group, tile).
    products: Vec<f32>,
}

/// Convolves x (images, inputs, h, w) -> (images, outputs, h, w).
///
/// Products are f32 whatever the weight is: transformed and then rounded, it would lose more than is rounded anywhere else, and
/// a quarter of the products is less than what bfloat16 could save.
pub(super) fn convolve<T: Copy + Into<f32> + Sync>(
    weight: Weight<'_, T>,
    bias: Option<&[f32]>,
    x: &[f32],
    maps: Maps,
) -> Vec<f32> {
    let mut y = vec![0.0; maps.images * weight.outputs * maps.plane()];
    let blocks = weight.inputs.div_ceil(INPUTS);
    let pass = Pass {
        weight,
        bias,
        maps,
        inputs: weight.inputs.div_ceil(blocks),
    };
    let mut transformed = Vec::new();
    for panels in maps.panels().chunks(PANELS) {
        pass.transform(panels, x, &mut transformed);
        let transformed = Transformed {
            panels,
            values: &transformed,
        };
        let tasks = pass.by_task(&mut y).into_par_iter().enumerate();
        tasks.for_each_init(Scratch::default, |scratch, (task, mut planes)| {
            let first = task * GROUPS;
            let groups = GROUPS.min(weight.groups() - first);
            pass.multiply((first, groups), &transformed, scratch);
            pass.outputs((first, groups), &transformed, &scratch.products, &mut planes);
        });
    }
    y
}

impl<T: Copy + Into<f32> + Sync> Pass<'_, T> {
    /// Elements of one panel's transform of one block of channels.
    fn block(&self) -> usize {
        POINTS * (self.inputs * WIDTH + APART)
    }

    fn blocks(&self) -> usize {
        self.weight.inputs.div_ceil(self.inputs)
    }

    /// First channel and number of channels of a block.
    fn channels(&self, block: usize) -> (usize, usize) {
        let first = block * self.inputs;
        (first, self.inputs.min(self.weight.inputs - first))
    }

    fn transform(&self, panels: &[Panel], x: &[f32], values: &mut Vec<f32>) {
        values.resize(panels.len() * self.blocks() * self.block(), 0.0);
        let parts = values.par_chunks_mut(self.block()).enumerate();
        parts.for_each_init(input::Scratch::new, |scratch, (index, out)| {
            let panel = panels[index / self.blocks()];
            let (first, count) = self.channels(index % self.blocks());
            let (runs, width) = (self.maps.runs(panel), panel.width());
            for channel in 0..count {
                let plane = |image: usize| {
                    let at = (image * self.weight.inputs + first + channel) * self.maps.plane();
                    &x[at..at + self.maps.plane()]
                };
                let out = &mut out[channel * width..];
                scratch.transform(&self.maps, &runs, plane, (out, count * width + APART, width));
            }
        });
    }

    /// The output planes of every task, image by image.
    fn by_task<'y>(&self, y: &'y mut [f32]) -> Vec<Vec<&'y mut [f32]>> {
        let (outputs, plane) = (self.weight.outputs, self.maps.plane());
        let mut tasks: Vec<Vec<_>> = (0..self.weight.groups().div_ceil(GROUPS))
            .map(|_| Vec::new())
            .collect();
        for image in y.chunks_mut(outputs * plane) {
            for (task, planes) in tasks.iter_mut().zip(image.chunks_mut(GROUPS * ROWS * plane)) {
                task.push(planes);
            }
        }
        tasks
    }

    /// The products of some groups of output channels for the tiles transformed.
    fn multiply(
        &self,
        (first, groups): (usize, usize),
        transformed: &Transformed<'_>,
        scratch: &mut Scratch,
    ) {
        let panel_size = groups * ROWS * WIDTH;
        let point_size = transformed.panels.len() * panel_size + APART;
        let Scratch {
            taps,
            weights,
            products,
        } = scratch;
        products.resize(POINTS * point_size, 0.0);
        weights.resize(POINTS * (groups * self.inputs * ROWS + APART), 0.0);
        for block in 0..self.blocks() {
            let (channel, count) = self.channels(block);
            let size = groups * count * ROWS;
            let stride = size + APART;
            for group in 0..groups {
                let out = &mut weights[group * count * ROWS..];
                self.weight
                    .transform(first + group, (channel, count), taps, (out, stride));
            }
            let write = if block == 0 { Write::Over } else { Write::Add };
            for (point, products) in products.chunks_mut(point_size).enumerate() {
                let weights = &weights[point * stride..][..size];
                for (index, panel) in transformed.panels.iter().enumerate() {
                    let at = (index * self.blocks() + block) * self.block();
                    let width = panel.width();
                    let right = &transformed.values[at + point * (count * width + APART)..][..count * width];
                    let tiles = products[index * panel_size..].chunks_mut(ROWS * width);
                    for (left, out) in weights.chunks(count * ROWS).zip(tiles) {
                        panel_product(left, (width, right), out, write);
                    }
                }
            }
        }
    }

    /// Turns products into outputs, in the planes of these groups' channels.
    fn outputs(
        &self,
        (first, groups): (usize, usize),
        transformed: &Transformed<'_>,
        products: &[f32],
        planes: &mut [&mut [f32]],
    ) {
        let panel_size = groups * ROWS * WIDTH;
        let point_size = transformed.panels.len() * panel_size + APART;
        let outputs = (groups * ROWS).min(self.weight.outputs - first * ROWS);
        let mut scratch = output::Scratch::new();
        for (index, panel) in transformed.panels.iter().enumerate() {
            let (runs, width) = (self.maps.runs(*panel), panel.width());
            for output in 0..outputs {
                let bias = self.bias.map_or(0.0, |bias| bias[first * ROWS + output]);
                let products = &products[index * panel_size + output * width..];
                scratch.transform((products, point_size, width), bias);
                for run in &runs {
                    let plane = &mut planes[run.image][output * self.maps.plane()..][..self.maps.plane()];
                    scratch.place(&self.maps, run, plane);
                }
            }
        }
    }
}
