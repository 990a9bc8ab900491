//! The autoencoder between pictures and latents (diffusers' `AutoencoderKL` as Stable Diffusion v1 has it).
//!
//! An encoder halves a picture at every level but the last and gives the moments of a normal distribution; a decoder
//! goes back. Both weight-name generations of its attention are read.

mod attention;
mod config;
mod decoder;
mod encoder;
mod middle;
mod resnet;

pub use config::VaeConfig;

use candle_core::{Result, Tensor};

use super::Loaded;
use super::layers::{Conv2d, Conv2dSize};
use crate::weights::Weights;
use decoder::Decoder;
use encoder::Encoder;

/// Limits on the logarithm of the posterior's variance.
const LOG_VARIANCE: (f64, f64) = (-30.0, 20.0);

/// Encoder and decoder.
pub struct Vae {
    config: VaeConfig,
    encoder: Encoder,
    quant: Option<Conv2d>,
    post_quant: Option<Conv2d>,
    decoder: Decoder,
}

/// The posterior of a picture: unscaled mean and log-variance, both (b, latent channels, h, w).
#[derive(Debug, Clone)]
pub struct Moments {
    /// Its mean.
    pub mean: Tensor,
    /// The logarithm of its variance, clamped to -30..20.
    pub logvar: Tensor,
}

impl Moments {
    /// `mean + noise · sqrt(variance)`, with standard normal noise of the mean's shape; unscaled.
    pub fn sample(&self, noise: &Tensor) -> Result<Tensor> {
        let spread = self.logvar.affine(0.5, 0.0)?.exp()?;
        &self.mean + (spread * noise)?
    }
}

impl Vae {
    /// Reads a VAE of this configuration; asks for every tensor such a network has.
    pub fn load(config: VaeConfig, weights: &Weights) -> Loaded<Self> {
        let latent = config.latent_channels;
        let pointwise = |name: &str, channels: usize, present: bool| {
            let load = || Conv2d::load(&weights.pp(name), Conv2dSize::same(channels, channels, 1));
            present.then(load).transpose()
        };
        Ok(Self {
            encoder: Encoder::load(&config, &weights.pp("encoder"))?,
            quant: pointwise("quant_conv", 2 * latent, config.use_quant_conv)?,
            post_quant: pointwise("post_quant_conv", latent, config.use_post_quant_conv)?,
            decoder: Decoder::load(&config, &weights.pp("decoder"))?,
            config,
        })
    }

    /// What an unscaled latent is multiplied with before diffusion: 0.18215 in Stable Diffusion v1.
    pub fn scaling_factor(&self) -> f64 {
        self.config.scaling_factor
    }

    /// Shape (channels, h, w) of the latent of a square picture of `size` pixels.
    pub fn latent_shape(&self, size: usize) -> (usize, usize, usize) {
        let edge = size / self.config.reduction();
        (self.config.latent_channels, edge, edge)
    }

    /// Pixels per latent cell in each direction.
    pub fn reduction(&self) -> usize {
        self.config.reduction()
    }

    /// The posterior of pictures (b, 3, h, w) in -1..1 whose sides are multiples of the reduction.
    pub fn encode(&self, images: &Tensor) -> Result<Moments> {
        let (_, _, h, w) = images.dims4()?;
        let reduction = self.config.reduction();
        if h == 0 || w == 0 || h % reduction != 0 || w % reduction != 0 {
            candle_core::bail!("vae: a {h}x{w} picture is not a multiple of {reduction}");
        }
        let latent = self.encoder.forward(images)?;
        let latent = self
            .quant
            .as_ref()
            .map_or_else(|| Ok(latent.clone()), |quant| quant.forward(&latent))?;
        let channels = self.config.latent_channels;
        let (low, high) = LOG_VARIANCE;
        Ok(Moments {
            mean: latent.narrow(1, 0, channels)?.contiguous()?,
            logvar: latent
                .narrow(1, channels, channels)?
                .contiguous()?
                .clamp(low, high)?,
        })
    }

    /// Pictures (b, 3, 8h, 8w), about -1..1 and not clamped, of *scaled* latents (b, 4, h, w).
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let latents = (latents / self.config.scaling_factor)?;
        let latents = self
            .post_quant
            .as_ref()
            .map_or_else(|| Ok(latents.clone()), |post| post.forward(&latents))?;
        self.decoder.forward(&latents)
    }

    /// [`Self::decode`], at most `slice` samples at a time: same result, less memory.
    pub fn decode_sliced(&self, latents: &Tensor, slice: usize) -> Result<Tensor> {
        let samples = latents.dim(0)?;
        let slice = slice.max(1);
        let mut pictures = Vec::with_capacity(samples.div_ceil(slice));
        for first in (0..samples).step_by(slice) {
            pictures.push(self.decode(&latents.narrow(0, first, slice.min(samples - first))?)?);
        }
        Tensor::cat(&pictures, 0)
    }
}
