//! DINO with the position table resized as `transformers` does: source coordinates advance by the ratio of the sizes.
//! The engine follows facebookresearch/dino instead, so the table is resized here, before the network is loaded.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use vico_engine::models::vit::{Vit, VitConfig};
use vico_engine::weights::{Weights, read_config};

/// Side of the pictures in the ViCo lineage.
const SIDE: usize = 256;
/// PyTorch's cubic coefficient.
const A: f64 = -0.75;

/// The network in `dir` for pictures of [`SIDE`] pixels.
pub(crate) fn as_transformers(dir: &Path) -> Result<Vit> {
    let mut config: VitConfig = read_config(dir)?;
    let mut tensors = candle_core::safetensors::load(dir.join("model.safetensors"), &Device::Cpu)?;
    let (from, to) = (config.image_size / config.patch_size, SIDE / config.patch_size);
    resize(&mut tensors, from, to)?;
    config.image_size = SIDE;
    Ok(Vit::load(&config, &Weights::from_tensors("resized", tensors))?)
}

fn resize(tensors: &mut HashMap<String, Tensor>, from: usize, to: usize) -> Result<()> {
    let name = tensors
        .keys()
        .find(|name| name.ends_with("position_embeddings"))
        .context("no position table")?
        .clone();
    let table = &tensors[&name]; // (1, 1 + from², width)
    let (class, patches) = (table.narrow(1, 0, 1)?, table.narrow(1, 1, from * from)?);
    let weights = Tensor::from_vec(taps(from, to), (to, from), &Device::Cpu)?;
    let width = patches.dim(2)?;
    // Rows, then columns: (to, from) on each side of every (from, from) plane.
    let rows = weights
        .matmul(&patches.reshape((from, from * width))?)?
        .reshape((to, from, width))?;
    let columns = weights.broadcast_matmul(&rows)?.reshape((1, to * to, width))?;
    let resized = Tensor::cat(&[&class, &columns], 1)?;
    tensors.insert(name, resized);
    Ok(())
}

/// The (to, from) matrix of bicubic weights without antialiasing, borders repeated.
fn taps(from: usize, to: usize) -> Vec<f32> {
    let mut weights = vec![0.0; to * from];
    for i in 0..to {
        let source = (i as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        for tap in -1..=2 {
            let at = source.floor() + f64::from(tap);
            let column = at.clamp(0.0, (from - 1) as f64) as usize;
            weights[i * from + column] += cubic((source - at).abs()) as f32;
        }
    }
    weights
}

fn cubic(x: f64) -> f64 {
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    }
}
