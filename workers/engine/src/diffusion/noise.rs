//! The one source of randomness. A draw is a function of its key alone, so it does not depend on what was drawn
//! before, on the worker, the batch split or the platform.
//!
//! Construction, which must never change (the test `known_answers` pins it):
//! 1. BLAKE3 in key-derivation mode, context `CONTEXT`, over: seed, concept, prompt, image, purpose, index.
//!    Numbers are 8 bytes little-endian; texts are their length as such a number, then their UTF-8 bytes.
//! 2. Of the digest, bytes 0..8 are the key of Philox4x32-10 and bytes 8..16 the upper half of its counter; the lower
//!    half counts blocks from 0.
//! 3. Every 32-bit word w becomes u = (w + ½)/2³². Normals come in pairs from two words by Box–Muller in f64,
//!    z = √(−2 ln u₁)·(cos 2πu₂, sin 2πu₂), with a logarithm and a sine that have the same bits everywhere, then
//!    rounded to f32. Integers below n use Lemire's unbiased method.

use candle_core::{Device, Result as TensorResult, Shape, Tensor};
use rand_philox::{Philox, u32_to_unit_f64};

/// The BLAKE3 key-derivation context; its number changes if the construction ever does.
const CONTEXT: &str = "vico-engine noise v1";

/// What a draw is for. Two purposes never share a draw, whatever the rest of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// x_T, where sampling starts.
    InitialLatents,
    /// Fresh noise of a denoise step (η > 0); index = denoise step.
    DenoiseNoise,
    /// ε of a train step; index = train step, image = sample of the batch.
    TrainNoise,
    /// Time step of a training sample.
    TrainTimestep,
    /// Which reference image a training sample is about.
    TrainTarget,
    /// Which other reference image it looks at.
    TrainReference,
    /// Which caption it has.
    TrainCaption,
    /// How a training picture is flipped, cropped or scaled.
    TrainAugmentation,
    /// Posterior sample of the target's latents.
    TargetPosterior,
    /// Posterior sample of the reference's latents.
    ReferencePosterior,
    /// Start value of a trainable tensor; prompt = the tensor's name.
    InitialWeights,
}

impl Purpose {
    /// The name that enters the digest: fixed for ever, unlike the order of the variants.
    fn name(self) -> &'static str {
        match self {
            Self::InitialLatents => "initial_latents",
            Self::DenoiseNoise => "denoise_noise",
            Self::TrainNoise => "train_noise",
            Self::TrainTimestep => "train_timestep",
            Self::TrainTarget => "train_target",
            Self::TrainReference => "train_reference",
            Self::TrainCaption => "train_caption",
            Self::TrainAugmentation => "train_augmentation",
            Self::TargetPosterior => "target_posterior",
            Self::ReferencePosterior => "reference_posterior",
            Self::InitialWeights => "initial_weights",
        }
    }
}

/// What a result belongs to; together with a [`Purpose`] and an index it names one stream of draws.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NoiseKey {
    /// The seed the user chose.
    pub seed: u64,
    /// The concept.
    pub concept: String,
    /// The prompt being sampled; empty in training.
    pub prompt: String,
    /// Which image of the prompt, or which sample of the training batch.
    pub image: u64,
}

impl NoiseKey {
    /// The draws for one purpose, from their beginning.
    pub fn stream(&self, purpose: Purpose, index: u64) -> NoiseStream {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&self.seed.to_le_bytes());
        for text in [&self.concept, &self.prompt] {
            update_text(&mut hasher, text);
        }
        hasher.update(&self.image.to_le_bytes());
        update_text(&mut hasher, purpose.name());
        hasher.update(&index.to_le_bytes());
        let digest = hasher.finalize();
        let word = |i: usize| u32::from_le_bytes(std::array::from_fn(|k| digest.as_bytes()[4 * i + k]));
        let upper = u128::from(word(2)) | u128::from(word(3)) << 32;
        NoiseStream(Philox::new([word(0), word(1)], upper << 64))
    }
}

fn update_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

/// A position in the draws of one key.
#[derive(Clone, Debug)]
pub struct NoiseStream(Philox);

impl NoiseStream {
    /// A whole number below `bound`, all equally likely.
    ///
    /// # Panics
    /// `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u32::try_from(bound).expect("nothing here has four billion elements to choose from");
        assert!(bound > 0, "cannot choose from nothing");
        self.0.bounded(bound) as usize
    }

    /// A number uniform in (0, 1).
    pub fn unit(&mut self) -> f64 {
        u32_to_unit_f64(self.0.next_u32())
    }

    /// Values uniform in (−`limit`, `limit`), shaped `shape`.
    ///
    /// # Errors
    /// The device refuses the allocation.
    pub fn uniform(&mut self, limit: f64, shape: impl Into<Shape>, device: &Device) -> TensorResult<Tensor> {
        let shape = shape.into();
        let mut words = vec![0; shape.elem_count()];
        self.0.fill_u32(&mut words);
        let value = |word| ((2.0 * u32_to_unit_f64(word) - 1.0) * limit) as f32;
        let values: Vec<f32> = words.into_iter().map(value).collect();
        Tensor::from_vec(values, shape, device)
    }

    /// Standard normal values, shaped `shape`.
    ///
    /// # Errors
    /// The device refuses the allocation.
    pub fn normal(&mut self, shape: impl Into<Shape>, device: &Device) -> TensorResult<Tensor> {
        let shape = shape.into();
        let count = shape.elem_count();
        let mut words = vec![0; count.next_multiple_of(2)];
        self.0.fill_u32(&mut words);
        let mut values: Vec<f32> = words
            .chunks_exact(2)
            .flat_map(|pair| box_muller(pair[0], pair[1]))
            .collect();
        values.truncate(count);
        Tensor::from_vec(values, shape, device)
    }
}

/// Two words to two independent standard normals.
fn box_muller(first: u32, second: u32) -> [f32; 2] {
    let radius = (-2.0 * libm::log(u32_to_unit_f64(first))).sqrt();
    let angle = std::f64::consts::TAU * u32_to_unit_f64(second);
    [
        (radius * libm::cos(angle)) as f32,
        (radius * libm::sin(angle)) as f32,
    ]
}
