//! No weight is infinite or not a number.

use super::Error;

/// The element, or an error that names its place.
pub(super) fn finite<T: Copy + Into<f32>>(
    element: T,
    (tensor, index): (&str, usize),
    origin: impl FnOnce() -> String,
) -> Result<T, Error> {
    let value: f32 = element.into();
    if value.is_finite() {
        return Ok(element);
    }
    Err(Error::NotFinite {
        origin: origin(),
        tensor: tensor.to_owned(),
        value,
        index,
    })
}
