//! Mean and spread of a normalised group.

use super::wide::wide;

/// Mean and `1 / sqrt(variance + eps)` of a group of elements, the variance being the biased one.
///
/// Two passes in f64: no cancellation for any mean.
pub(super) fn moments(x: &[f32], eps: f64) -> (f32, f32) {
    let n = x.len() as f64;
    let (mean, variance) = wide(
        #[inline(always)]
        || {
            let mean = sum(x, |v| v) / n;
            let variance = sum(x, |v| (v - mean) * (v - mean)) / n;
            (mean, variance)
        },
    );
    (mean as f32, (1.0 / (variance + eps).sqrt()) as f32)
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "must take on its caller's vector width")]
fn sum(x: &[f32], f: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0f64; 16];
    let chunks = x.chunks_exact(16);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane += f(f64::from(*v));
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|v| f(f64::from(*v))).sum::<f64>()
}
