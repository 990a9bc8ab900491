//! The attention regulariser (vico-spec §4): keeps the placeholder's attention map close to the end-of-text token's.

use candle_core::{D, Result as TensorResult, Tensor};

/// mean over patches of (u − v)² per sample, where u is the placeholder's map over its maximum and v the end-of-text
/// token's map over its maximum.
///
/// `placeholder` and `end_of_text` are (b, n), the result is (b). The gradient reaches the placeholder's map only, also
/// through its maximum; the other side is detached.
///
/// # Errors
/// The shapes differ.
pub fn regulariser(placeholder: &Tensor, end_of_text: &Tensor) -> TensorResult<Tensor> {
    let u = over_maximum(placeholder)?;
    let v = over_maximum(&end_of_text.detach())?;
    (u - v)?.sqr()?.mean(D::Minus1)
}

/// Each row divided by its largest element. The element is gathered by its index, so that of equal maxima exactly one
/// gets the gradient, as in PyTorch; candle's own maximum would give it to all of them.
fn over_maximum(map: &Tensor) -> TensorResult<Tensor> {
    let index = map.detach().contiguous()?.argmax_keepdim(D::Minus1)?; // (b, 1)
    map.broadcast_div(&map.contiguous()?.gather(&index, D::Minus1)?)
}
