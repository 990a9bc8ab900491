//! Latents to pictures, refusing what is no picture.

use candle_core::Tensor;

use crate::base_model::BaseModel;
use crate::diffusion::NoiseKey;
use crate::image::{Rgb8, from_tensor};
use crate::methods::Error;

/// Decodes scaled latents (n, 4, h, w), one image at a time so that memory does not grow with n; `keys` name the images in
/// errors.
///
/// # Errors
/// An image is not finite or entirely black (both are what a broken run looks like, and neither may be scored), or a tensor
/// operation fails.
pub fn decode(base: &BaseModel, latents: &Tensor, keys: &[NoiseKey]) -> crate::Result<Vec<Rgb8>> {
    let mut pictures = Vec::with_capacity(keys.len());
    for (row, key) in keys.iter().enumerate() {
        let decoded = base.vae.decode(&latents.narrow(0, row, 1)?)?.squeeze(0)?; // (3, size, size)
        pictures.push(checked(&decoded, key)?);
    }
    Ok(pictures)
}

/// One decoded image (3, h, w) as a picture.
///
/// # Errors
/// It is not finite or entirely black.
pub fn checked(decoded: &Tensor, key: &NoiseKey) -> crate::Result<Rgb8> {
    let (prompt, image) = (key.prompt.clone(), key.image);
    if !decoded.abs()?.sum_all()?.to_scalar::<f32>()?.is_finite() {
        return Err(Error::NotFiniteImage { prompt, image }.into());
    }
    let picture = from_tensor(decoded)?;
    if picture.data().iter().all(|&value| value == 0) {
        return Err(Error::BlackImage { prompt, image }.into());
    }
    Ok(picture)
}
