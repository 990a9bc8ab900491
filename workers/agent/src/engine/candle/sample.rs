//! A sample job on the engine: prompts and an adapter in, captioned PNG files out.

use vico::ids::JobKey;
use vico::job::Failure;
use vico::spec::{PromptSpec, SampleInputs, prior_prompt};
use vico_engine::base_model::BaseModel;
use vico_engine::diffusion::NoiseKey;
use vico_engine::methods::Next;
use vico_engine::methods::sampling::{SampleSpec, SampleWatch};

use super::Memory;
use super::artist::Artist;
use super::captions::{Captions, name};
use crate::engine::{Ended, SampleWork, Watch};

pub(super) fn sample(
    base: &BaseModel,
    (job, work): (JobKey, &SampleWork),
    memory: Memory,
    watch: &mut Watch,
) -> Result<Ended, Failure> {
    let artist = Artist::open(base, work)?;
    let captions = Captions::new(job, work);
    let inputs = &work.inputs;
    let mut finished = 0;
    for (number, series) in series(inputs).iter().enumerate() {
        let mut looker_on = LookerOn {
            watch,
            series,
            finished,
            of: inputs.sampling.images_of(inputs.prompts.len()),
        };
        let Some(images) = artist.draw(number, &series.spec(inputs, memory), &mut looker_on)? else {
            return Ok(Ended::Stopped);
        };
        for (sample, image) in images.iter().enumerate() {
            let file = captions.encode(image, (series.prompt, sample), &series.text)?;
            watch.output(name(series.prompt, sample), file);
        }
        watch.log(format!("{} images of `{}`", images.len(), series.text));
        finished += u64::from(series.images);
    }
    Ok(Ended::Finished)
}

/// Images of one text.
struct Series {
    /// Position of the prompt; `None` for the bare class word.
    prompt: Option<usize>,
    /// The text as the text encoder sees it.
    text: String,
    /// The text with its slot open. It enters the noise, which is so the same for every method, whatever the method fills
    /// in, and images can be compared in pairs.
    pattern: String,
    images: u32,
}

/// The prompts in order, and then the class word if it is asked for.
fn series(inputs: &SampleInputs) -> Vec<Series> {
    let subject = inputs.method.subject_of(&inputs.concept);
    let of_prompt = |(number, prompt): (usize, &PromptSpec)| Series {
        prompt: Some(number),
        text: prompt.fill(&subject, &inputs.concept.placeholder),
        pattern: prompt.0.clone(),
        images: inputs.sampling.images_per_prompt,
    };
    let class = prior_prompt(&inputs.concept.class);
    let of_class = Series {
        prompt: None,
        text: class.clone(),
        pattern: class,
        images: inputs.sampling.prior_images,
    };
    let prompts = inputs.prompts.iter().enumerate().map(of_prompt);
    prompts
        .chain([of_class])
        .filter(|series| series.images > 0)
        .collect()
}

/// Images in memory at once on a CPU.
const CPU_BATCH: u32 = 2;

impl Series {
    /// As the engine takes it. Only `batch` depends on the machine, and it does not change what is computed.
    fn spec(&self, inputs: &SampleInputs, memory: Memory) -> SampleSpec {
        let sampling = &inputs.sampling;
        let halved = self.images.checked_shr(memory.halvings).unwrap_or(0);
        let batch = if memory.on_cpu {
            halved.min(CPU_BATCH)
        } else {
            halved
        };
        SampleSpec {
            prompt: self.text.clone(),
            negative_prompt: sampling.negative_prompt.clone(),
            steps: sampling.steps as usize,
            eta: sampling.eta,
            guidance: sampling.guidance,
            size: sampling.size as usize,
            images: (0..self.images)
                .map(|image| self.noise_key(inputs, image))
                .collect(),
            batch: batch.max(1) as usize,
        }
    }

    fn noise_key(&self, inputs: &SampleInputs, image: u32) -> NoiseKey {
        NoiseKey {
            seed: inputs.sampling.seed,
            concept: inputs.concept.id.to_string(),
            prompt: self.pattern.clone(),
            image: u64::from(image),
        }
    }
}

/// Reports and stops on the worker's behalf.
struct LookerOn<'a> {
    watch: &'a Watch,
    series: &'a Series,
    /// Images of the series before.
    finished: u64,
    of: u64,
}

impl SampleWatch for LookerOn<'_> {
    fn after_denoise_step(&mut self, done: usize, of: usize) -> Next {
        let finished = if done == of {
            self.finished + u64::from(self.series.images)
        } else {
            self.finished
        };
        let note = format!("`{}`, denoise step {done} of {of}", self.series.text);
        self.watch.progress(finished, self.of, note);
        if self.watch.interrupt().is_some() {
            Next::Stop
        } else {
            Next::Continue
        }
    }
}
