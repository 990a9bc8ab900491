//! What the baselines draw their training samples from: pictures as latents, and captions.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use candle_core::{Result as TensorResult, Tensor};

use super::augment::{Augmentation, Frame, View};
use super::denoising::Batch;
use super::recipe::Recipe;
use crate::base_model::BaseModel;
use crate::diffusion::{NoiseKey, Purpose};
use crate::image::Rgb8;
use crate::methods::Error;

/// Turns a caption into 77 token ids.
pub(super) type Encode<'a> = Box<dyn Fn(&str) -> crate::Result<Vec<u32>> + 'a>;

/// Some pictures with the captions that may stand under any of them.
pub(super) struct Samples<'a> {
    pub(super) base: &'a BaseModel,
    /// Pictures, at least one.
    pub(super) pictures: &'a [Rgb8],
    /// Captions, at least one.
    pub(super) captions: Vec<String>,
    pub(super) augmentation: Augmentation,
    /// Makes ids of a caption.
    pub(super) encode: Encode<'a>,
    key: NoiseKey,
    size: usize,
    /// Ids of the captions seen so far.
    ids: RefCell<HashMap<String, Vec<u32>>>,
}

impl<'a> Samples<'a> {
    /// `role` keeps the draws of reference images and class images apart.
    pub(super) fn new(
        (base, recipe): (&'a BaseModel, &Recipe),
        (role, pictures): (&str, &'a [Rgb8]),
        captions: Vec<String>,
        augmentation: Augmentation,
        encode: Encode<'a>,
    ) -> Result<Self, Error> {
        if pictures.is_empty() {
            return Err(Error::NoImages {
                role: role.to_owned(),
            });
        }
        let key = NoiseKey {
            seed: recipe.seed,
            concept: recipe.concept.clone(),
            prompt: role.to_owned(),
            image: 0,
        };
        Ok(Self {
            base,
            pictures,
            captions,
            augmentation,
            encode,
            key,
            size: recipe.image_size,
            ids: RefCell::default(),
        })
    }

    /// The given samples of train step `step` (from 0), each from draws of its own.
    pub(super) fn batch(&self, step: usize, samples: Range<usize>) -> crate::Result<Batch> {
        let mut rows = Vec::with_capacity(samples.len());
        for sample in samples {
            rows.push(self.row(step, sample)?);
        }
        let stack = |part: fn(&Row) -> &Tensor| Tensor::stack(&rows.iter().map(part).collect::<Vec<_>>(), 0);
        // An augmentation makes a mask for all of its views or for none.
        let masks: Vec<&Tensor> = rows.iter().filter_map(|row| row.mask.as_ref()).collect();
        let mask = if masks.is_empty() {
            None
        } else {
            Some(Tensor::stack(&masks, 0)?)
        };
        Ok(Batch {
            clean: stack(|row| &row.clean)?,
            noise: stack(|row| &row.noise)?,
            timesteps: rows.iter().map(|row| row.timestep).collect(),
            mask,
            ids: rows.into_iter().map(|row| row.ids).collect(),
        })
    }

    fn row(&self, step: usize, sample: usize) -> crate::Result<Row> {
        let key = NoiseKey {
            image: sample as u64,
            ..self.key.clone()
        };
        let stream = |purpose| key.stream(purpose, step as u64);
        let picture = &self.pictures[stream(Purpose::TrainTarget).below(self.pictures.len())];
        let view = self.view(picture, &mut stream(Purpose::TrainAugmentation))?;
        let caption = &self.captions[stream(Purpose::TrainCaption).below(self.captions.len())];
        let posterior = self.base.vae.encode(&view.pixels.unsqueeze(0)?)?;
        let draw = stream(Purpose::TargetPosterior).normal(posterior.mean.dims(), self.base.device())?;
        let clean = (posterior.sample(&draw)? * self.base.vae.scaling_factor())?.squeeze(0)?; // (4, h, w)
        Ok(Row {
            noise: stream(Purpose::TrainNoise).normal(clean.dims(), self.base.device())?,
            timestep: stream(Purpose::TrainTimestep).below(self.base.schedule.train_timesteps()),
            ids: self.ids_of(&format!("{}{caption}", view.prefix))?,
            mask: view.mask,
            clean,
        })
    }

    fn view(&self, picture: &Rgb8, draws: &mut crate::diffusion::NoiseStream) -> TensorResult<View> {
        let frame = Frame {
            size: self.size,
            reduction: self.base.vae.reduction(),
        };
        self.augmentation.view(picture, frame, draws, self.base.device())
    }

    fn ids_of(&self, caption: &str) -> crate::Result<Vec<u32>> {
        if let Some(ids) = self.ids.borrow().get(caption) {
            return Ok(ids.clone());
        }
        let ids = (self.encode)(caption)?;
        self.ids.borrow_mut().insert(caption.to_owned(), ids.clone());
        Ok(ids)
    }
}

/// One training sample.
struct Row {
    clean: Tensor,
    noise: Tensor,
    timestep: usize,
    ids: Vec<u32>,
    mask: Option<Tensor>,
}
