//! Images of the base model as it is, such as the class images of a prior loss.

use super::{Denoise, Plain, SampleSpec, SampleWatch, encode_prompt};
use crate::base_model::BaseModel;
use crate::diffusion::Ddim;
use crate::image::Rgb8;

/// Makes the images of one prompt, one per noise key in `spec`.
///
/// # Errors
/// The prompt is too long, a tensor operation fails, an image is not finite or entirely black, or `watch` says stop.
pub fn sample(base: &BaseModel, spec: &SampleSpec, watch: &mut dyn SampleWatch) -> crate::Result<Vec<Rgb8>> {
    let negative = encode_prompt(&base.tokenizer, &spec.negative_prompt)?;
    let prompt = encode_prompt(&base.tokenizer, &spec.prompt)?;
    let mut predictor = Plain {
        unet: &base.unet,
        context: base.text.forward(&[negative.ids, prompt.ids], &[])?, // (2, 77, width)
    };
    let ddim = Ddim::new(&base.schedule, spec.steps, spec.eta)?;
    let denoise = Denoise {
        ddim: &ddim,
        guidance: spec.guidance,
        batch: spec.batch,
    };
    spec.run(base, &denoise, &mut predictor, watch)
}
