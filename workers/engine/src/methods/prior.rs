//! Prior preservation: class images that keep the class what it was (DreamBooth, arXiv 2208.12242, section 3.3).

use super::augment::Augmentation;
use super::recipe::Recipe;
use super::samples::{Encode, Samples};
use crate::base_model::BaseModel;
use crate::image::Rgb8;

/// Class images and how much they count.
#[derive(Clone, Copy, Debug)]
pub struct Prior<'a> {
    /// Pictures that the base model made of `prompt`, at least one.
    pub images: &'a [Rgb8],
    /// What they show, `a photo of a dog`.
    pub prompt: &'a str,
    /// Weight of their loss beside the reference images'.
    pub weight: f64,
}

impl<'a> Prior<'a> {
    /// The class images as training samples, seen in the method's way, with the weight of their loss.
    pub(super) fn samples(
        &self,
        (base, recipe): (&'a BaseModel, &Recipe),
        augmentation: Augmentation,
        encode: Encode<'a>,
    ) -> crate::Result<(Samples<'a>, f64)> {
        let samples = Samples::new(
            (base, recipe),
            ("class images", self.images),
            vec![self.prompt.to_owned()],
            augmentation,
            encode,
        )?;
        Ok((samples, self.weight))
    }
}
