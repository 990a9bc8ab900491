//! A sample job on the engine: prompts and an adapter in, captioned PNG files out.

use vico::digest::Digest;
use vico::ids::JobKey;
use vico::job::{Failure, FailureClass, output_names};
use vico::spec::{PromptSpec, SampleInputs};
use vico_engine::base_model::BaseModel;
use vico_engine::diffusion::NoiseKey;
use vico_engine::image::Rgb8;
use vico_engine::methods::Next;
use vico_engine::methods::sampling::{SampleSpec, SampleWatch};

use super::Memory;
use super::artist::Artist;
use crate::engine::{Ended, SampleWork, Watch};
use crate::picture::{self, Caption};

pub(super) fn sample(
    base: &BaseModel,
    (job, work): (JobKey, &SampleWork),
    memory: Memory,
    watch: &mut Watch,
) -> Result<Ended, Failure> {
    let artist = Artist::open(base, work)?;
    let captions = Captions::new(job, work);
    for (number, prompt) in work.inputs.prompts.iter().enumerate() {
        let spec = spec(&work.inputs, prompt, memory);
        let mut looker_on = LookerOn {
            watch,
            number,
            inputs: &work.inputs,
        };
        let Some(images) = artist.draw(number, &spec, &mut looker_on)? else {
            return Ok(Ended::Stopped);
        };
        for (sample, image) in images.iter().enumerate() {
            let file = captions.encode(image, (number, sample), &spec.prompt)?;
            watch.output(output_names::image(number, sample), file);
        }
        watch.log(format!(
            "prompt {number}: {} images of `{}`",
            images.len(),
            spec.prompt
        ));
    }
    Ok(Ended::Finished)
}

/// One prompt as the engine takes it. Only `batch` depends on the machine, and it does not change what is computed.
fn spec(inputs: &SampleInputs, prompt: &PromptSpec, memory: Memory) -> SampleSpec {
    let sampling = &inputs.sampling;
    let images = sampling.images_per_prompt;
    let halved = images.checked_shr(memory.halvings).unwrap_or(0);
    let batch = if memory.on_cpu {
        halved.min(CPU_BATCH)
    } else {
        halved
    };
    SampleSpec {
        prompt: rendered(inputs, prompt),
        negative_prompt: sampling.negative_prompt.clone(),
        steps: sampling.steps as usize,
        eta: sampling.eta,
        guidance: sampling.guidance,
        size: sampling.size as usize,
        images: (0..images)
            .map(|image| noise_key(inputs, prompt, image))
            .collect(),
        batch: batch.max(1) as usize,
    }
}

/// Images in memory at once on a CPU.
const CPU_BATCH: u32 = 2;

/// The prompt as the text encoder sees it.
fn rendered(inputs: &SampleInputs, prompt: &PromptSpec) -> String {
    prompt.fill(&inputs.method.subject_of(&inputs.concept))
}

/// An image's noise. The prompt enters with its slot open, so that it is the same for every method, whatever the method
/// fills in, and images can be compared in pairs.
fn noise_key(inputs: &SampleInputs, prompt: &PromptSpec, image: u32) -> NoiseKey {
    NoiseKey {
        seed: inputs.sampling.seed,
        concept: inputs.concept.id.to_string(),
        prompt: prompt.0.clone(),
        image: u64::from(image),
    }
}

/// What every caption of a job says alike.
struct Captions<'a> {
    job: JobKey,
    inputs: &'a SampleInputs,
    adapter: Digest,
}

impl<'a> Captions<'a> {
    fn new(job: JobKey, work: &'a SampleWork) -> Self {
        let adapter = Digest::of(&work.adapter.bytes);
        Self {
            job,
            inputs: &work.inputs,
            adapter,
        }
    }

    fn encode(
        &self,
        image: &Rgb8,
        (prompt, sample): (usize, usize),
        rendered: &str,
    ) -> Result<Vec<u8>, Failure> {
        let sampling = &self.inputs.sampling;
        let caption = Caption {
            job: self.job,
            method: self.inputs.method.name().to_owned(),
            concept: self.inputs.concept.id.clone(),
            prompt_index: prompt as u32,
            sample: sample as u32,
            prompt: rendered.to_owned(),
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
            message: format!("writing image {sample} of prompt {prompt}: {error}"),
        })
    }
}

/// Reports and stops on the worker's behalf.
struct LookerOn<'a> {
    watch: &'a Watch,
    number: usize,
    inputs: &'a SampleInputs,
}

impl SampleWatch for LookerOn<'_> {
    fn after_denoise_step(&mut self, done: usize, of: usize) -> Next {
        let (prompts, images) = (
            self.inputs.prompts.len(),
            u64::from(self.inputs.sampling.images_per_prompt),
        );
        let finished = self.number + usize::from(done == of);
        let note = format!(
            "prompt {} of {prompts}, denoise step {done} of {of}",
            self.number + 1
        );
        self.watch
            .progress(finished as u64 * images, prompts as u64 * images, note);
        if self.watch.interrupt().is_some() {
            Next::Stop
        } else {
            Next::Continue
        }
    }
}
