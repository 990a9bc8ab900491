//! LPIPS 0.1 on AlexNet (arXiv 1801.03924): how different two pictures look.

use std::path::Path;

use candle_core::{Device, Tensor};

use super::FileFormat;
use super::protocol::short;
use crate::image::{Rgb8, to_unit_range};
use crate::models::alexnet::{AlexNet, CHANNELS};
use crate::{Result, weights};

/// The network's own mean and deviation of pixels from -1 to 1, by channel (`ScalingLayer` in `lpips.py`).
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];
/// Keeps a silent activation from dividing by zero (`normalize_tensor` in `lpips`).
const EPSILON: f64 = 1e-10;

/// The network and how much each of its channels counts.
#[derive(Debug)]
pub struct Lpips {
    network: AlexNet,
    /// Five of (1, channels, 1, 1).
    channel_weights: Vec<Tensor>,
    device: Device,
    digest: String,
}

/// A picture as the network sees it: activations of unit length at every place, five of (1, channels, h', w').
#[derive(Debug, Clone)]
pub struct Appearance(Vec<Tensor>);

/// How much some pictures differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diversity {
    /// Mean distance over the pairs of one size; `None` without any.
    pub mean: Option<f64>,
    /// Pairs of two sizes, between which there is no distance.
    pub left_out: usize,
}

impl Lpips {
    /// Reads `model.safetensors`: the state of `lpips.LPIPS(net="alex")` under its own names.
    ///
    /// # Errors
    /// A tensor is missing, misshapen or none of LPIPS's.
    pub fn load(dir: &Path, device: &Device) -> Result<Self> {
        let weights = weights::Weights::open(dir, None, device)?;
        // Constants here, and the same weights once more.
        weights.ignore(&["scaling_layer.shift", "scaling_layer.scale"]);
        let mut channel_weights = Vec::with_capacity(CHANNELS.len());
        for (number, channels) in CHANNELS.into_iter().enumerate() {
            weights.ignore(&[&format!("lins.{number}.model.1.weight")]);
            let name = format!("lin{number}.model.1.weight");
            channel_weights.push(weights.get((1, channels, 1, 1), &name)?);
        }
        let network = AlexNet::load(&weights.pp("net"))?;
        weights.finish()?;
        Ok(Self {
            network,
            channel_weights,
            device: device.clone(),
            digest: weights::digest(dir, None)?,
        })
    }

    /// The signature to print beside [`Self::diversity`] of such files, with the digest of the weights.
    pub fn diversity_signature(&self, files: FileFormat) -> String {
        let (model, files) = (short(&self.digest), files.name());
        format!("m:lpips-alex@b3:{model}|pre:native|agg:pair>prompt|health:meanpair.1|img:{files}")
    }

    /// What the network sees in a picture, at the picture's own size.
    ///
    /// # Errors
    /// The picture is too small for the network (below 31 pixels), or a tensor operation fails.
    pub fn appearance(&self, picture: &Rgb8) -> Result<Appearance> {
        let channel = |values: [f32; 3]| Tensor::new(&values, &self.device)?.reshape((1, 3, 1, 1));
        let pixels = to_unit_range(picture, &self.device)?.unsqueeze(0)?; // (1, 3, h, w)
        let pixels = pixels
            .broadcast_sub(&channel(SHIFT)?)?
            .broadcast_div(&channel(SCALE)?)?;
        let unit = |activation: &Tensor| {
            let length = (activation.sqr()?.sum_keepdim(1)?.sqrt()? + EPSILON)?; // (1, 1, h', w')
            activation.broadcast_div(&length)
        };
        let activations = self.network.activations(&pixels)?;
        Ok(Appearance(
            activations.iter().map(unit).collect::<candle_core::Result<_>>()?,
        ))
    }

    /// The distance of two pictures of the same size: 0 where they look the same.
    ///
    /// # Errors
    /// The sizes differ.
    pub fn distance(&self, left: &Appearance, right: &Appearance) -> Result<f64> {
        let mut distance = 0.0;
        for ((left, right), weights) in left.0.iter().zip(&right.0).zip(&self.channel_weights) {
            let apart = (left - right)?.sqr()?.broadcast_mul(weights)?.sum(1)?; // (1, h', w')
            distance += f64::from(apart.mean_all()?.to_scalar::<f32>()?);
        }
        Ok(distance)
    }

    /// Mean distance over pairs of different pictures: DreamBooth's DIV (arXiv 2208.12242, appendix).
    ///
    /// # Errors
    /// As [`Self::appearance`].
    pub fn diversity(&self, pictures: &[Rgb8]) -> Result<Diversity> {
        let seen = pictures.iter().map(|picture| self.appearance(picture));
        let seen = seen.collect::<Result<Vec<_>>>()?;
        let size = |picture: usize| (pictures[picture].width(), pictures[picture].height());
        let count = pictures.len();
        let all = (0..count).flat_map(|left| (left + 1..count).map(move |right| (left, right)));
        let (mut sum, mut pairs, mut left_out) = (0.0, 0_u32, 0);
        for (left, right) in all {
            if size(left) == size(right) {
                sum += self.distance(&seen[left], &seen[right])?;
                pairs += 1;
            } else {
                left_out += 1;
            }
        }
        let mean = (pairs > 0).then(|| sum / f64::from(pairs));
        Ok(Diversity { mean, left_out })
    }
}
