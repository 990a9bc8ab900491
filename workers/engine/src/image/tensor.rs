//! Between pictures and the tensors of the networks.

use candle_core::{DType, Device, Tensor};

use super::{Error, Rgb8};

/// The picture as (3, h, w) f32 in [-1, 1]: `x / 127.5 - 1`, as Stable Diffusion is trained on.
///
/// Computed in f64 and rounded once, as the published data loaders do with numpy.
pub fn to_unit_range(picture: &Rgb8, device: &Device) -> candle_core::Result<Tensor> {
    let values = planes(picture, |sample| (f64::from(sample) / 127.5 - 1.0) as f32);
    Tensor::from_vec(values, (3, picture.height(), picture.width()), device)
}

/// The three colour planes one after another, each sample through `value`.
pub(crate) fn planes(picture: &Rgb8, value: impl Fn(u8) -> f32) -> Vec<f32> {
    let table: Vec<f32> = (0..=u8::MAX).map(value).collect();
    let mut data = Vec::with_capacity(picture.data().len());
    for channel in 0..3 {
        let samples = picture.data().iter().skip(channel).step_by(3);
        data.extend(samples.map(|sample| table[usize::from(*sample)]));
    }
    data
}

/// A decoded image tensor (3, h, w) in [-1, 1] as a picture: `(x + 1) / 2`, clamped, times 255, truncated.
///
/// Truncation, not rounding, is what the published sampling scripts do. NaN and infinities are an error.
pub fn from_tensor(image: &Tensor) -> Result<Rgb8, Error> {
    let failed = |error: candle_core::Error| Error::Tensor(error.to_string());
    let (channels, height, width) = image.dims3().map_err(failed)?;
    if channels != 3 {
        return Err(Error::Tensor(format!("with {channels} channels instead of 3")));
    }
    let values = image
        .to_dtype(DType::F32)
        .and_then(|image| image.flatten_all()?.to_vec1::<f32>())
        .map_err(failed)?;
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Err(Error::Tensor(format!("that holds {value}")));
    }
    let byte = |value: f32| (f32::midpoint(value, 1.0).clamp(0.0, 1.0) * 255.0) as u8;
    let pixels = height * width;
    let data = (0..pixels)
        .flat_map(|i| [i, i + pixels, i + 2 * pixels])
        .map(|i| byte(values[i]))
        .collect();
    Rgb8::new(width, height, data)
}
