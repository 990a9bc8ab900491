//! Sets whose `bench_v1` CLIP inputs were resized to another short side than the protocol's 224 and padded with black.
//! The engine has no such protocol; to compare the rest of the chain all the same, the inputs are made here.

use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{D, Device, Tensor};
use vico_engine::image::Rgb8;
use vico_engine::image::resample::{Filter, resize};
use vico_engine::metrics::Features;
use vico_engine::models::clip::{Clip, ClipConfig};
use vico_engine::weights::{Weights, read_config};

use super::images::pixels;

/// Side of CLIP's pictures.
const SIDE: usize = 224;
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const DEVIATION: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];
/// Pictures whose inputs a set gives in part: rows and columns 100 to 107.
const WINDOW: (usize, usize) = (100, 8);

/// The short side below [`SIDE`] whose inputs of all `pictures` have the set's `slices` (n, 3, 8, 8).
pub(crate) fn find(pictures: &[Rgb8], slices: &Tensor) -> Result<Option<usize>> {
    for short in WINDOW.0 + WINDOW.1..SIDE {
        if fits(&pictures[..1], slices, short)? && fits(pictures, slices, short)? {
            return Ok(Some(short));
        }
    }
    Ok(None)
}

fn fits(pictures: &[Rgb8], slices: &Tensor, short: usize) -> Result<bool> {
    let inputs = pictures
        .iter()
        .map(|picture| input(picture, short))
        .collect::<Result<Vec<_>>>()?;
    let (start, length) = WINDOW;
    let windows = Tensor::cat(&inputs, 0)?
        .narrow(2, start, length)?
        .narrow(3, start, length)?;
    let difference = (windows - slices.narrow(0, 0, pictures.len())?)?
        .abs()?
        .max_all()?;
    Ok(difference.to_scalar::<f32>()? < 2e-5)
}

/// Short side to `short`, centred on a black square, normalised: (1, 3, 224, 224).
pub(crate) fn input(picture: &Rgb8, short: usize) -> Result<Tensor> {
    let (width, height) = (picture.width(), picture.height());
    let scaled = |side: usize| short * side / width.min(height);
    let resized = pixels(&resize(picture, scaled(width), scaled(height), Filter::Bicubic))?;
    let square = fit(&fit(&resized, 0)?, 1)?; // (224, 224, 3)
    let planes = (square.to_dtype(candle_core::DType::F32)?.permute((2, 0, 1))? / 255.0)?;
    let channel = |values: [f32; 3]| Tensor::new(&values, &Device::Cpu)?.reshape((3, 1, 1));
    Ok(planes
        .broadcast_sub(&channel(MEAN)?)?
        .broadcast_div(&channel(DEVIATION)?)?
        .unsqueeze(0)?)
}

/// Cuts or pads one side to [`SIDE`] around its middle; offsets are rounded with halves to even.
fn fit(picture: &Tensor, side: usize) -> Result<Tensor> {
    let length = picture.dim(side)?;
    let offset = |room: usize| (room as f64 / 2.0).round_ties_even() as usize;
    if length >= SIDE {
        return Ok(picture.narrow(side, offset(length - SIDE), SIDE)?);
    }
    let before = offset(SIDE - length);
    Ok(picture.pad_with_zeros(side, before, SIDE - length - before)?)
}

/// CLIP's features of some inputs, each (1, 3, 224, 224).
pub(crate) fn features(clip: &Path, inputs: &[Tensor]) -> Result<Features> {
    let weights = Weights::open(clip, None, &Device::Cpu)?;
    let clip = Clip::load(&read_config::<ClipConfig>(clip)?, &weights)?;
    let rows = inputs
        .iter()
        .map(|input| clip.image_features(input))
        .collect::<candle_core::Result<Vec<_>>>()?;
    let rows = Tensor::cat(&rows, 0)?;
    Features::new(rows.dim(D::Minus1)?, rows.flatten_all()?.to_vec1()?).context("CLIP features")
}
