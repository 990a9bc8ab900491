//! Pictures to network inputs, exactly as each protocol's published scripts prepare them.

use candle_core::{Device, Result, Tensor};

use crate::image::resample::{Filter, resize, short_side_crop, taps};
use crate::image::{Rgb8, planes, to_unit_range};
use crate::models::interpolate::bicubic;

/// Side of both networks' pictures in their training.
const SIDE: usize = 224;
/// Side to which the ViCo lineage squeezes every picture first.
const SQUEEZED: usize = 256;

/// Mean and deviation per colour.
struct Norm {
    mean: [f32; 3],
    deviation: [f32; 3],
}

const CLIP: Norm = Norm {
    mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
    deviation: [0.268_629_54, 0.261_302_6, 0.275_777_1],
};
const IMAGENET: Norm = Norm {
    mean: [0.485, 0.456, 0.406],
    deviation: [0.229, 0.224, 0.225],
};

impl Norm {
    fn apply(&self, mut planes: Vec<f32>) -> Vec<f32> {
        let size = planes.len() / 3;
        for (channel, plane) in planes.chunks_exact_mut(size).enumerate() {
            let (mean, deviation) = (self.mean[channel], self.deviation[channel]);
            for x in plane {
                *x = (*x - mean) / deviation;
            }
        }
        planes
    }
}

/// How CLIP sees a picture, always as (1, 3, 224, 224).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClipView {
    /// Short side to 224, middle cut out.
    Cropped,
    /// Squeezed to 256 x 256, then as a tensor to 224 x 224.
    Squeezed {
        /// As torchvision 0.17 and later resize tensors.
        antialias: bool,
    },
}

/// How DINO sees a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DinoView {
    /// Short side to 256, middle cut out, ImageNet's mean and deviation: (1, 3, 224, 224).
    Cropped,
    /// Squeezed, in [-1, 1]: (1, 3, 256, 256).
    Squeezed,
}

impl ClipView {
    /// The name in signatures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cropped => "short224c224.bicubic.pillow12.clip",
            Self::Squeezed { antialias: false } => "sq256.bicubic.pillow12.pm1+t224.noaa.clip",
            Self::Squeezed { antialias: true } => "sq256.bicubic.pillow12.pm1+t224.aa.clip",
        }
    }
}

impl DinoView {
    /// The name in signatures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cropped => "short256c224.bicubic.pillow12.imagenet",
            Self::Squeezed => "sq256.bicubic.pillow12.pm1",
        }
    }
}

/// CLIP's input (1, 3, 224, 224).
pub fn clip_pixels(view: ClipView, picture: &Rgb8, device: &Device) -> Result<Tensor> {
    let values = match view {
        ClipView::Cropped => cropped(picture, SIDE),
        ClipView::Squeezed { antialias: false } => shrink_plain(&squeezed_unit(picture)),
        ClipView::Squeezed { antialias: true } => shrink_antialiased(&squeezed_unit(picture)),
    };
    Tensor::from_vec(CLIP.apply(values), (1, 3, SIDE, SIDE), device)
}

/// DINO's input: (1, 3, 224, 224), or squeezed (1, 3, 256, 256) without ImageNet's mean and deviation.
pub fn dino_pixels(view: DinoView, picture: &Rgb8, device: &Device) -> Result<Tensor> {
    match view {
        DinoView::Cropped => {
            let values = IMAGENET.apply(cropped(picture, SQUEEZED));
            Tensor::from_vec(values, (1, 3, SIDE, SIDE), device)
        }
        DinoView::Squeezed => {
            to_unit_range(&resize(picture, SQUEEZED, SQUEEZED, Filter::Bicubic), device)?.unsqueeze(0)
        }
    }
}

/// Short side to `short`, middle cut out, scaled to [0, 1].
fn cropped(picture: &Rgb8, short: usize) -> Vec<f32> {
    let cut =
        short_side_crop(picture, short, SIDE, Filter::Bicubic).expect("the crop is not above the short side");
    planes(&cut, |sample| f32::from(sample) / 255.0)
}

/// Squeezed to a square, through [-1, 1] and back to [0, 1], as the scripts do (not the same bits as `x / 255`).
fn squeezed_unit(picture: &Rgb8) -> Vec<f32> {
    let squeezed = resize(picture, SQUEEZED, SQUEEZED, Filter::Bicubic);
    planes(&squeezed, |sample| {
        f32::midpoint((f64::from(sample) / 127.5 - 1.0) as f32, 1.0)
    })
}

/// torchvision's tensor resize before 0.17: no antialiasing.
fn shrink_plain(planes: &[f32]) -> Vec<f32> {
    let step = SQUEEZED as f32 / SIDE as f32;
    bicubic(planes, (SQUEEZED, SQUEEZED), (SIDE, SIDE), (step, step))
}

/// torchvision's tensor resize from 0.17 on: Pillow's kernel in floats, rows first.
fn shrink_antialiased(planes: &[f32]) -> Vec<f32> {
    let kernel: Vec<(usize, Vec<f32>)> = taps(SQUEEZED, SIDE, 0..SIDE, Filter::Bicubic)
        .map(|taps| {
            (
                taps.first,
                taps.weights.iter().map(|weight| *weight as f32).collect(),
            )
        })
        .collect();
    let rows = planes.chunks_exact(SQUEEZED);
    let narrow: Vec<f32> = rows
        .flat_map(|row| {
            kernel
                .iter()
                .map(|(first, weights)| row[*first..].iter().zip(weights).map(|(x, w)| x * w).sum())
        })
        .collect(); // (3, 256, 224)
    let mut out = Vec::with_capacity(3 * SIDE * SIDE);
    for plane in narrow.chunks_exact(SQUEEZED * SIDE) {
        for (first, weights) in &kernel {
            let column = |x: usize| -> f32 {
                weights
                    .iter()
                    .enumerate()
                    .map(|(k, w)| plane[(first + k) * SIDE + x] * w)
                    .sum()
            };
            out.extend((0..SIDE).map(column));
        }
    }
    out
}
