//! The denoise loop shared by all methods, and what turns its latents into images.

pub mod images;
pub mod plain;

use candle_core::{Result as TensorResult, Tensor};

use crate::base_model::BaseModel;
use crate::diffusion::ddim::guide;
use crate::diffusion::{Ddim, NoiseKey, Purpose};
use crate::image::Rgb8;
use crate::methods::{Error, Next};
use crate::models::unet::{SiteHook, UNet};
use crate::tokenizer::{CONTEXT_LENGTH, ClipTokenizer, Encoded};

pub use plain::Plain;

/// What to sample: one prompt, any number of images.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleSpec {
    /// The prompt with the placeholder filled in.
    pub prompt: String,
    /// What guidance leads away from; usually empty.
    pub negative_prompt: String,
    /// Denoise steps; 50 in the paper.
    pub steps: usize,
    /// Fresh noise per denoise step; 0 in the paper.
    pub eta: f64,
    /// Guidance scale; 7.5 in the paper.
    pub guidance: f64,
    /// Side of the square images.
    pub size: usize,
    /// One key per image.
    pub images: Vec<NoiseKey>,
    /// Images in memory at once; changes results only by f32 rounding.
    pub batch: usize,
}

/// The tokens of a prompt, all of them: what does not fit would be dropped without a word.
pub(crate) fn encode_prompt(tokenizer: &ClipTokenizer, prompt: &str) -> crate::Result<Encoded> {
    let encoded = tokenizer.encode(prompt)?;
    if encoded.truncated {
        return Err(Error::PromptTooLong {
            prompt: prompt.to_owned(),
            tokens: tokenizer.token_count(prompt)?,
            most: CONTEXT_LENGTH - 2,
        }
        .into());
    }
    Ok(encoded)
}

/// Looks on while images are made and may end it.
pub trait SampleWatch {
    /// Called after denoise step `done` of `of`, for all images together.
    fn after_denoise_step(&mut self, done: usize, of: usize) -> Next;
}

/// The part of sampling that differs between methods.
pub trait NoisePredictor {
    /// Called once per denoise step, before any image of it.
    ///
    /// # Errors
    /// A tensor operation fails.
    fn prepare(&mut self, timestep: usize) -> crate::Result<()>;

    /// The noise in some latents (b, 4, h, w) at the time step last prepared.
    ///
    /// # Errors
    /// A tensor operation fails.
    fn predict(&self, timestep: usize, latents: &Tensor) -> crate::Result<Prediction>;
}

/// Predicted noise, each (b, 4, h, w).
#[derive(Clone, Debug)]
pub struct Prediction {
    /// Under the negative prompt.
    pub unconditional: Tensor,
    /// Under the prompt.
    pub conditional: Tensor,
}

impl Prediction {
    /// Runs `unet` once on the rows [latents ‖ latents] under `context` (2, 77, width), unconditional first.
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn of(
        unet: &UNet,
        timestep: usize,
        latents: &Tensor,
        context: &Tensor,
        hook: &mut dyn SiteHook,
    ) -> crate::Result<Self> {
        let images = latents.dim(0)?;
        let (_, tokens, width) = context.dims3()?;
        let text = |row| context.narrow(0, row, 1)?.broadcast_as((images, tokens, width));
        let context = Tensor::cat(&[text(0)?, text(1)?], 0)?.contiguous()?; // (2·images, 77, width)
        let rows = Tensor::cat(&[latents, latents], 0)?;
        let noise = unet.forward(&rows, &vec![timestep as f64; 2 * images], &context, hook)?;
        let half = |start| noise.narrow(0, start, images);
        Ok(Self {
            unconditional: half(0)?,
            conditional: half(images)?,
        })
    }
}

/// How to walk from noise to latents.
#[derive(Clone, Copy, Debug)]
pub struct Denoise<'a> {
    /// The grid.
    pub ddim: &'a Ddim,
    /// Guidance scale.
    pub guidance: f64,
    /// Images per network call.
    pub batch: usize,
}

impl Denoise<'_> {
    /// Takes `latents` (n, 4, h, w) through the whole grid. `fresh_noise` makes standard normal noise of their shape for a
    /// denoise step and is only asked when the sampler is stochastic; `after_step` sees the new latents.
    ///
    /// # Errors
    /// The batch is 0, a tensor operation fails, or `after_step` says stop.
    pub fn run(
        &self,
        predictor: &mut dyn NoisePredictor,
        mut latents: Tensor,
        fresh_noise: &dyn Fn(usize) -> TensorResult<Tensor>,
        after_step: &mut dyn FnMut(usize, &Tensor) -> Next,
    ) -> crate::Result<Tensor> {
        if self.batch == 0 {
            let expected = "at least 1".to_owned();
            return Err(Error::Setting {
                name: "batch",
                expected,
                got: "0".to_owned(),
            }
            .into());
        }
        let of = self.ddim.grid().len();
        for (index, at) in self.ddim.grid().iter().enumerate() {
            predictor.prepare(at.timestep)?;
            let noise = self.guided(predictor, at.timestep, &latents)?;
            let fresh = if self.ddim.is_stochastic() {
                Some(fresh_noise(index)?)
            } else {
                None
            };
            latents = self.ddim.denoise(at, &latents, &noise, fresh.as_ref())?;
            let done = index + 1;
            if after_step(done, &latents) == Next::Stop && done < of {
                return Err(Error::Stopped { done, of }.into());
            }
        }
        Ok(latents)
    }

    fn guided(
        &self,
        predictor: &dyn NoisePredictor,
        timestep: usize,
        latents: &Tensor,
    ) -> crate::Result<Tensor> {
        let images = latents.dim(0)?;
        let mut chunks = Vec::new();
        for start in (0..images).step_by(self.batch) {
            let chunk = latents.narrow(0, start, self.batch.min(images - start))?;
            let predicted = predictor.predict(timestep, &chunk)?;
            chunks.push(guide(
                &predicted.unconditional,
                &predicted.conditional,
                self.guidance,
            )?);
        }
        Ok(Tensor::cat(&chunks, 0)?)
    }
}

impl SampleSpec {
    /// Draws x_T from the images' keys, denoises with `predictor` and decodes.
    ///
    /// # Errors
    /// There are no images to make, the size does not fit the networks, a tensor operation fails, an image is not finite
    /// or entirely black, or `watch` says stop.
    pub fn run(
        &self,
        base: &BaseModel,
        denoise: &Denoise<'_>,
        predictor: &mut dyn NoisePredictor,
        watch: &mut dyn SampleWatch,
    ) -> crate::Result<Vec<Rgb8>> {
        if self.images.is_empty() {
            let expected = "at least 1".to_owned();
            return Err(Error::Setting {
                name: "images",
                expected,
                got: "0".to_owned(),
            }
            .into());
        }
        let normal = |purpose, index: usize| self.normal(base, purpose, index as u64);
        let start = normal(Purpose::InitialLatents, 0)?;
        let of = denoise.ddim.grid().len();
        let fresh_noise = |index| normal(Purpose::DenoiseNoise, index);
        let latents = denoise.run(predictor, start, &fresh_noise, &mut |done, _| {
            watch.after_denoise_step(done, of)
        })?;
        images::decode(base, &latents, &self.images)
    }

    /// Standard normal latents (n, 4, h, w), each image from its own key.
    fn normal(&self, base: &BaseModel, purpose: Purpose, index: u64) -> TensorResult<Tensor> {
        let shape = base.vae.latent_shape(self.size);
        let noise = |key: &NoiseKey| key.stream(purpose, index).normal(shape, base.device());
        Tensor::stack(
            &self.images.iter().map(noise).collect::<TensorResult<Vec<_>>>()?,
            0,
        )
    }
}
