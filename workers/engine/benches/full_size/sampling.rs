//! One denoise step of one image with guidance and a reference photo, then its decoding.

use vico_engine::adapter::Adapter;
use vico_engine::base_model::BaseModel;
use vico_engine::diffusion::ddim::guide;
use vico_engine::diffusion::{Ddim, Purpose};
use vico_engine::image::to_unit_range;
use vico_engine::methods::sampling::{NoisePredictor, SampleSpec, images};
use vico_engine::methods::vico::VicoSpec;
use vico_engine::methods::vico::learned::Learned;
use vico_engine::methods::vico::sample::TwoBranches;

use crate::measure::{Phase, measured};
use crate::photo;
use crate::training::key;

const GUIDANCE: f64 = 7.5;

/// What `vico::sample` does once per prompt, once per denoise step and once per image, each measured.
///
/// # Errors
/// The engine refuses, or the image is not finite.
pub(crate) fn measure(base: &BaseModel, adapter: &Adapter, spec: &VicoSpec) -> anyhow::Result<Vec<Phase>> {
    let learned = Learned::from_adapter(base, adapter)?;
    let (sample, ddim) = (request(spec), Ddim::new(&base.schedule, 1, 0.0)?);
    let pixels = to_unit_range(&photo(spec.image_size, 0)?, base.device())?.unsqueeze(0)?; // (1, 3, size, size)
    let (reference, encode) = measured(|| Ok((base.vae.encode(&pixels)?.mean * base.vae.scaling_factor())?))?;
    let (mut predictor, text) = measured(|| Ok(TwoBranches::new(base, &learned, &sample, &reference)?))?;

    let (channels, h, w) = base.vae.latent_shape(spec.image_size);
    let mut noise = key(spec, 0).stream(Purpose::InitialLatents, 0);
    let latents = noise.normal((1, channels, h, w), base.device())?;
    let at = ddim.grid()[0];
    let ((), prepare) = measured(|| Ok(predictor.prepare(at.timestep)?))?;
    let (predicted, predict) = measured(|| Ok(predictor.predict(at.timestep, &latents)?))?;
    let (latents, denoise) = measured(|| {
        let noise = guide(&predicted.unconditional, &predicted.conditional, GUIDANCE)?;
        Ok(ddim.denoise(&at, &latents, &noise, None)?)
    })?;
    let (_, decode) = measured(|| Ok(images::decode(base, &latents, &sample.images)?))?;
    let before = vec![
        ("VAE encode of the reference", encode),
        ("text encoder, both prompts", text),
    ];
    let step = vec![
        ("reference branch, both prompts", prepare),
        ("target, both prompts", predict),
        ("guidance and DDIM", denoise),
    ];
    Ok(vec![
        Phase::of_parts("before sampling, once per prompt", before),
        Phase::of_parts("one denoise step of one image", step),
        Phase::of_parts("after sampling, once per image", vec![("VAE decode", decode)]),
    ])
}

/// One image in one denoise step.
pub(crate) fn request(spec: &VicoSpec) -> SampleSpec {
    SampleSpec {
        prompt: "a * on the beach".to_owned(),
        negative_prompt: String::new(),
        steps: 1,
        eta: 0.0,
        guidance: GUIDANCE,
        size: spec.image_size,
        images: vec![key(spec, 0)],
        batch: 1,
    }
}
