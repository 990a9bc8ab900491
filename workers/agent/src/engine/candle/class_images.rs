//! A class_images job on the engine: one prompt in, PNG files of the base model out.

use std::ops::Range;

use vico::ids::JobKey;
use vico::job::{Failure, FailureClass, output_names};
use vico::spec::ClassImagesInputs;
use vico_engine::base_model::BaseModel;
use vico_engine::diffusion::NoiseKey;
use vico_engine::image::Rgb8;
use vico_engine::methods::sampling::{SampleSpec, SampleWatch};
use vico_engine::methods::{self, Next, Personalised};

use super::{Memory, failure};
use crate::engine::{ClassImagesWork, Ended, Watch};
use crate::picture::{self, ClassImageCaption};

/// Images in memory at once on a GPU. On a CPU it is one: more gain no time there, and change the last bits.
const GPU_BATCH: u32 = 8;

pub(super) fn draw(
    base: &BaseModel,
    (job, work): (JobKey, &ClassImagesWork),
    memory: Memory,
    watch: &mut Watch,
) -> Result<Ended, Failure> {
    let inputs = &work.inputs;
    let batch = batch(memory);
    let untouched = Personalised::base(base);
    for first in (0..inputs.count).step_by(batch as usize) {
        // Not after the last batch: then the job is done, whoever wants it to end.
        if first > 0 && watch.interrupt().is_some() {
            return Ok(Ended::Stopped);
        }
        let numbers = first..inputs.count.min(first + batch);
        let mut looker_on = LookerOn {
            watch,
            first,
            count: inputs.count,
        };
        let spec = spec(inputs, numbers.clone());
        let images = match untouched.sample(&spec, &mut looker_on) {
            Err(vico_engine::Error::Method(methods::Error::Stopped { .. })) => return Ok(Ended::Stopped),
            other => other.map_err(|error| failure("drawing class images", error))?,
        };
        for (number, image) in numbers.zip(&images) {
            let file = encode(image, (job, number), inputs)?;
            watch.output(output_names::class_image(number as usize), file);
        }
    }
    watch.log(format!("{} class images of `{}`", inputs.count, inputs.prompt));
    Ok(Ended::Finished)
}

/// Only this depends on the machine. Every image has its own noise, so it changes what is drawn by f32 rounding alone.
fn batch(memory: Memory) -> u32 {
    if memory.on_cpu {
        return 1;
    }
    GPU_BATCH.checked_shr(memory.halvings).unwrap_or(0).max(1)
}

fn spec(inputs: &ClassImagesInputs, numbers: Range<u32>) -> SampleSpec {
    SampleSpec {
        prompt: inputs.prompt.clone(),
        negative_prompt: String::new(),
        steps: inputs.steps as usize,
        eta: inputs.eta,
        guidance: inputs.guidance,
        size: inputs.size as usize,
        batch: numbers.len(),
        images: numbers.map(|number| noise_key(inputs, number)).collect(),
    }
}

/// An image's noise. It belongs to no concept, and no id of one is empty.
fn noise_key(inputs: &ClassImagesInputs, number: u32) -> NoiseKey {
    NoiseKey {
        seed: inputs.seed,
        concept: String::new(),
        prompt: inputs.prompt.clone(),
        image: u64::from(number),
    }
}

fn encode(
    image: &Rgb8,
    (job, number): (JobKey, u32),
    inputs: &ClassImagesInputs,
) -> Result<Vec<u8>, Failure> {
    let caption = ClassImageCaption {
        job,
        number,
        inputs: inputs.clone(),
    };
    picture::encode_class_image(image, &caption).map_err(|error| Failure {
        class: FailureClass::Internal,
        message: format!("writing class image {number}: {error}"),
    })
}

/// Reports and stops on the worker's behalf.
struct LookerOn<'a> {
    watch: &'a Watch,
    first: u32,
    count: u32,
}

impl SampleWatch for LookerOn<'_> {
    fn after_denoise_step(&mut self, done: usize, of: usize) -> Next {
        let note = format!("class images from {}, denoise step {done} of {of}", self.first);
        self.watch
            .progress(u64::from(self.first), u64::from(self.count), note);
        if self.watch.interrupt().is_some() {
            Next::Stop
        } else {
            Next::Continue
        }
    }
}

#[cfg(test)]
mod tests {
    use vico::digest::Digest;
    use vico::spec::ModelInputs;

    use super::*;

    #[test]
    fn a_gpu_draws_half_as_many_at_once_after_each_shortage_and_a_cpu_one_by_one() {
        let batches = |on_cpu| [0, 1, 3, 4, 40].map(|halvings| batch(Memory { halvings, on_cpu }));
        assert_eq!(batches(false), [8, 4, 1, 1, 1]);
        assert_eq!(batches(true), [1; 5]);
    }

    /// Every image has its own noise, whichever others are in memory with it.
    #[test]
    fn how_many_are_drawn_at_once_changes_no_noise() {
        let inputs = ClassImagesInputs {
            algorithm: 1,
            base: ModelInputs {
                identity: Digest::of(b"model"),
                variant: None,
                precision: None,
            },
            prompt: "a photo of a barn".to_owned(),
            count: 5,
            steps: 2,
            guidance: 7.5,
            eta: 0.0,
            size: 64,
            seed: 5,
        };
        let noise = |batch: u32| -> Vec<NoiseKey> {
            let starts = (0..inputs.count).step_by(batch as usize);
            let batches = starts.map(|first| spec(&inputs, first..inputs.count.min(first + batch)));
            batches.flat_map(|spec| spec.images).collect()
        };
        assert_eq!(noise(1), noise(2));
        assert_eq!(noise(1), noise(8));
        assert_eq!(noise(8).iter().collect::<std::collections::HashSet<_>>().len(), 5);
    }
}
