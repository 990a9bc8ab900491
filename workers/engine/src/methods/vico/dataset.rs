//! What a training draws its samples from: the reference images as VAE posteriors, and the captions (vico-spec §6).

use candle_core::{Result as TensorResult, Tensor};

use super::VicoSpec;
use super::branches::Columns;
use super::learned::columns;
use super::pass::Batch;
use crate::base_model::BaseModel;
use crate::diffusion::{NoiseKey, Purpose};
use crate::image::resample::{Filter, resize};
use crate::image::{Rgb8, to_unit_range};
use crate::methods::{Error, templates};
use crate::models::vae::Moments;

/// The reference images and captions of a concept.
pub(super) struct Dataset<'a> {
    base: &'a BaseModel,
    key: NoiseKey,
    posteriors: Vec<Moments>,
    captions: Vec<(Vec<u32>, Columns)>,
}

/// The choices behind one training sample.
struct Draw {
    target: usize,
    reference: usize,
    caption: usize,
    timestep: usize,
}

impl<'a> Dataset<'a> {
    /// Encodes the images once (nothing about them is random but the posterior sample) and all captions.
    pub(super) fn new(
        base: &'a BaseModel,
        spec: &VicoSpec,
        images: &[Rgb8],
        placeholder: u32,
    ) -> crate::Result<Self> {
        if images.is_empty() {
            return Err(Error::NoImages {
                role: "reference images".to_owned(),
            }
            .into());
        }
        let posteriors = images
            .iter()
            .map(|image| encode(base, image, spec.image_size))
            .collect::<Result<_, _>>()?;
        let caption = |index| {
            let text = templates::caption(index, &spec.placeholder);
            let encoded = base.tokenizer.encode(&text)?;
            let columns = columns(&text, &encoded, placeholder)?;
            Ok((encoded.ids, columns))
        };
        let captions = (0..templates::COUNT).map(caption).collect::<crate::Result<_>>()?;
        let key = NoiseKey {
            seed: spec.seed,
            concept: spec.concept.clone(),
            prompt: String::new(),
            image: 0,
        };
        Ok(Self {
            base,
            key,
            posteriors,
            captions,
        })
    }

    /// The given samples of train step `step`, each from draws of its own.
    pub(super) fn batch(&self, step: usize, samples: std::ops::Range<usize>) -> crate::Result<Batch> {
        let keys: Vec<NoiseKey> = samples.map(|sample| self.key_of(sample)).collect();
        let draws: Vec<Draw> = keys.iter().map(|key| self.draw(key, step)).collect();
        let latents = |purpose, choose: fn(&Draw) -> usize| {
            let rows = keys
                .iter()
                .zip(&draws)
                .map(|(key, draw)| self.latents(key, purpose, step, choose(draw)));
            Tensor::cat(&rows.collect::<TensorResult<Vec<_>>>()?, 0)
        };
        let clean = latents(Purpose::TargetPosterior, |draw| draw.target)?;
        let reference = latents(Purpose::ReferencePosterior, |draw| draw.reference)?;
        let noise = |key: &NoiseKey| {
            key.stream(Purpose::TrainNoise, step as u64)
                .normal(&clean.dims()[1..], clean.device())
        };
        let noise = Tensor::stack(&keys.iter().map(noise).collect::<Result<Vec<_>, _>>()?, 0)?;
        let (ids, columns) = draws
            .iter()
            .map(|draw| self.captions[draw.caption].clone())
            .unzip();
        let timesteps = draws.iter().map(|draw| draw.timestep).collect();
        Ok(Batch {
            clean,
            noise,
            reference,
            timesteps,
            ids,
            columns,
        })
    }

    fn key_of(&self, sample: usize) -> NoiseKey {
        NoiseKey {
            image: sample as u64,
            ..self.key.clone()
        }
    }

    /// Time step, target and caption uniformly; the reference uniformly among the other images, or the target itself if it
    /// is the only one.
    fn draw(&self, key: &NoiseKey, step: usize) -> Draw {
        let below = |purpose, bound| key.stream(purpose, step as u64).below(bound);
        let images = self.posteriors.len();
        let target = below(Purpose::TrainTarget, images);
        let other = below(Purpose::TrainReference, (images - 1).max(1));
        Draw {
            target,
            reference: if images > 1 && other >= target {
                other + 1
            } else {
                other
            },
            caption: below(Purpose::TrainCaption, templates::COUNT),
            timestep: below(Purpose::TrainTimestep, self.base.schedule.train_timesteps()),
        }
    }

    /// A scaled posterior sample of image `index`, (1, 4, h, w).
    fn latents(&self, key: &NoiseKey, purpose: Purpose, step: usize, index: usize) -> TensorResult<Tensor> {
        let posterior = &self.posteriors[index];
        let noise = key
            .stream(purpose, step as u64)
            .normal(posterior.mean.dims(), posterior.mean.device())?;
        posterior.sample(&noise)? * self.base.vae.scaling_factor()
    }
}

/// The VAE posterior of an image squashed to `size`² with the bicubic filter, its moments (1, 4, h, w).
fn encode(base: &BaseModel, image: &Rgb8, size: usize) -> TensorResult<Moments> {
    let squashed = resize(image, size, size, Filter::Bicubic);
    base.vae
        .encode(&to_unit_range(&squashed, base.device())?.unsqueeze(0)?)
}
