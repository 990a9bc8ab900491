//! The timestep embedding.

use candle_core::{Device, Result, Tensor};

use super::UNetConfig;
use crate::kernels::silu;
use crate::models::Loaded;
use crate::models::layers::Linear;
use crate::weights::Weights;

/// Slowest period of the sinusoids.
const MAX_PERIOD: f64 = 10_000.0;

/// Sinusoids of the timestep through a two-layer network.
#[derive(Clone)]
pub(super) struct TimeEmbedding {
    width: usize,
    cosines_first: bool,
    freq_shift: f64,
    linear_1: Linear,
    linear_2: Linear,
}

impl TimeEmbedding {
    /// Width of the embedding: four times the first level's.
    pub(super) fn output_width(config: &UNetConfig) -> usize {
        4 * config.block_out_channels[0]
    }

    pub(super) fn load(config: &UNetConfig, weights: &Weights) -> Loaded<Self> {
        let (width, output) = (config.block_out_channels[0], Self::output_width(config));
        let weights = weights.pp("time_embedding");
        Ok(Self {
            width,
            cosines_first: config.flip_sin_to_cos,
            freq_shift: config.freq_shift,
            linear_1: Linear::load(&weights.pp("linear_1"), width, output)?,
            linear_2: Linear::load(&weights.pp("linear_2"), output, output)?,
        })
    }

    /// (b, 4·width), already through the SiLU that every ResBlock begins with.
    pub(super) fn forward(&self, timesteps: &[f64], device: &Device) -> Result<Tensor> {
        let rows: Vec<f32> = timesteps.iter().flat_map(|t| self.sinusoids(*t as f32)).collect();
        let waves = Tensor::from_vec(rows, (timesteps.len(), self.width), device)?;
        let hidden = silu(&self.linear_1.forward(&waves)?)?;
        silu(&self.linear_2.forward(&hidden)?)
    }

    /// In f32 at every step, as PyTorch does: at t = 999 an f64 angle would differ in the fourth decimal.
    fn sinusoids(&self, t: f32) -> Vec<f32> {
        let half = self.width / 2;
        let slope = -MAX_PERIOD.ln() as f32;
        let span = (half as f64 - self.freq_shift) as f32;
        let angles: Vec<f32> = (0..half).map(|i| t * (slope * i as f32 / span).exp()).collect();
        let (sines, cosines) = (angles.iter().map(|a| a.sin()), angles.iter().map(|a| a.cos()));
        if self.cosines_first {
            cosines.chain(sines).collect()
        } else {
            sines.chain(cosines).collect()
        }
    }
}
