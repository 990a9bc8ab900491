//! ViCo's sampling: every image and both halves of the guidance look at the reference photo (vico-spec §7).

use candle_core::Tensor;

use super::learned::{Learned, columns};
use super::reference::{ReferencePass, SiteFeatures, TargetPass};
use crate::adapter::Adapter;
use crate::base_model::BaseModel;
use crate::diffusion::Ddim;
use crate::image::resample::{Filter, resize};
use crate::image::{Rgb8, to_unit_range};
use crate::methods::sampling::{Denoise, NoisePredictor, Prediction, SampleSpec, SampleWatch, encode_prompt};

/// Makes the images of one prompt with an adapter, which is read for it: whoever has several prompts reads it once and calls
/// [`Learned::sample`].
///
/// # Errors
/// The adapter does not fit, or as there.
pub fn sample(
    base: &BaseModel,
    adapter: &Adapter,
    reference: &Rgb8,
    spec: &SampleSpec,
    watch: &mut dyn SampleWatch,
) -> crate::Result<Vec<Rgb8>> {
    Learned::from_adapter(base, adapter)?.sample(base, reference, spec, watch)
}

impl Learned {
    /// Makes the images of one prompt, one per noise key in `spec`.
    ///
    /// The reference is squashed with the bilinear filter as the official script does, and enters as the mean of its VAE
    /// posterior: the official code draws a new posterior sample per group of images, which would tie the reference branch to
    /// one seed. The reference branch runs once per denoise step, for the unconditional and the conditional text together,
    /// and is shared by all images; nothing of it outlives the step, so it costs no memory.
    ///
    /// # Errors
    /// The prompt holds the placeholder twice, a tensor operation fails, an image is not finite or entirely black, or `watch`
    /// says stop.
    pub fn sample(
        &self,
        base: &BaseModel,
        reference: &Rgb8,
        spec: &SampleSpec,
        watch: &mut dyn SampleWatch,
    ) -> crate::Result<Vec<Rgb8>> {
        let ddim = Ddim::new(&base.schedule, spec.steps, spec.eta)?;
        let squashed = resize(reference, spec.size, spec.size, Filter::Bilinear);
        let reference = reference_latents(base, &squashed)?; // (1, 4, h, w)
        let mut predictor = TwoBranches::new(base, self, spec, &reference)?;
        let denoise = Denoise {
            ddim: &ddim,
            guidance: spec.guidance,
            batch: spec.batch,
        };
        spec.run(base, &denoise, &mut predictor, watch)
    }
}

/// What the reference branch sees of a square picture: the mean of its VAE posterior, scaled, (1, 4, h, w).
///
/// # Errors
/// The picture's size does not fit the VAE, or a tensor operation fails.
pub fn reference_latents(base: &BaseModel, picture: &Rgb8) -> crate::Result<Tensor> {
    let pixels = to_unit_range(picture, base.device())?.unsqueeze(0)?; // (1, 3, size, size)
    Ok((base.vae.encode(&pixels)?.mean * base.vae.scaling_factor())?)
}

/// Predicts noise with the image cross-attention in place.
pub struct TwoBranches<'a> {
    base: &'a BaseModel,
    learned: &'a Learned,
    /// Unconditional and conditional text, (2, 77, width).
    context: Tensor,
    /// The same reference latents twice, (2, 4, h, w).
    reference: Tensor,
    placeholder: usize,
    features: Vec<SiteFeatures>,
}

impl<'a> TwoBranches<'a> {
    /// A predictor for the prompts of `spec`. `reference` are clean scaled latents, (1, 4, h, w).
    ///
    /// # Errors
    /// The prompt holds the placeholder twice, or a tensor operation fails.
    pub fn new(
        base: &'a BaseModel,
        learned: &'a Learned,
        spec: &SampleSpec,
        reference: &Tensor,
    ) -> crate::Result<Self> {
        let encoded = encode_prompt(&base.tokenizer, &spec.prompt)?;
        let placeholder = columns(&spec.prompt, &encoded, learned.placeholder)?.placeholder;
        let empty = encode_prompt(&base.tokenizer, &spec.negative_prompt)?;
        let context = learned.context(base, &[empty.ids, encoded.ids])?;
        let reference = Tensor::cat(&[reference, reference], 0)?;
        Ok(Self {
            base,
            learned,
            context,
            reference,
            placeholder,
            features: Vec::new(),
        })
    }

    /// What the reference branch offers at the time step last prepared; texts are unconditional, then conditional.
    pub fn features(&self) -> &[SiteFeatures] {
        &self.features
    }
}

impl NoisePredictor for TwoBranches<'_> {
    fn prepare(&mut self, timestep: usize) -> crate::Result<()> {
        let blocks = &self.learned.image_attention;
        let mut pass = ReferencePass::new(blocks, self.placeholder, 2, self.learned.use_mask);
        self.base
            .unet
            .run(&self.reference, &[timestep as f64; 2], &self.context, &mut pass)?;
        self.features = pass.into_features();
        Ok(())
    }

    fn predict(&self, timestep: usize, latents: &Tensor) -> crate::Result<Prediction> {
        let mut pass = TargetPass::new(&self.learned.image_attention, &self.features);
        Prediction::of(&self.base.unet, timestep, latents, &self.context, &mut pass)
    }
}
