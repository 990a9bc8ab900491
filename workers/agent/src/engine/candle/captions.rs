//! What every caption of a sample job says alike.

use vico::digest::Digest;
use vico::ids::JobKey;
use vico::job::{Failure, FailureClass, output_names};
use vico::spec::SampleInputs;
use vico_engine::image::Rgb8;

use crate::engine::SampleWork;
use crate::picture::{self, Caption};

/// Turns images into files that say what they show.
pub(super) struct Captions<'a> {
    job: JobKey,
    inputs: &'a SampleInputs,
    adapter: Option<Digest>,
}

impl<'a> Captions<'a> {
    pub(super) fn new(job: JobKey, work: &'a SampleWork) -> Self {
        Self {
            job,
            inputs: &work.inputs,
            adapter: work.adapter.as_ref().map(|file| Digest::of(&file.bytes)),
        }
    }

    /// The PNG file of a sample; `text` as the text encoder saw it.
    pub(super) fn encode(
        &self,
        image: &Rgb8,
        (prompt, sample): (Option<usize>, usize),
        text: &str,
    ) -> Result<Vec<u8>, Failure> {
        let sampling = &self.inputs.sampling;
        let caption = Caption {
            job: self.job,
            method: self.inputs.method.name().to_owned(),
            concept: self.inputs.concept.id.clone(),
            prompt_index: prompt.map(|prompt| prompt as u32),
            sample: sample as u32,
            prompt: text.to_owned(),
            negative_prompt: sampling.negative_prompt.clone(),
            seed: sampling.seed,
            adapter: self.adapter,
            base: self.inputs.base.identity,
            sampler: "ddim".to_owned(),
            steps: sampling.steps,
            eta: sampling.eta,
            guidance: sampling.guidance,
            size: sampling.size,
        };
        picture::encode(image, &caption).map_err(|error| Failure {
            class: FailureClass::Internal,
            message: format!("writing {}: {error}", name(prompt, sample)),
        })
    }
}

/// The output that a sample is; without a prompt it is one of the bare class word.
pub(super) fn name(prompt: Option<usize>, sample: usize) -> String {
    match prompt {
        Some(prompt) => output_names::image(prompt, sample),
        None => output_names::prior_image(sample),
    }
}
