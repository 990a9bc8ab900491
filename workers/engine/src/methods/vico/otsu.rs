//! The automatic mask (vico-spec §3): which reference patches show the concept, by Otsu's threshold over the
//! placeholder's attention map.

use candle_core::{Result as TensorResult, Tensor};

/// Thresholds tried: t/10 for t = 1…9. The official code also tries 0, which never wins.
const TENTHS: u8 = 10;

/// The masks of a batch of attention maps.
#[derive(Clone, Debug)]
pub struct Masks {
    /// u8 (b, n): 1 where the patch is kept.
    pub keys: Tensor,
    /// Per map the threshold on its min–max normalised values; 0 for a constant map, which keeps every patch.
    pub thresholds: Vec<f32>,
    /// Per map the patches kept, in ascending order.
    pub kept: Vec<Vec<u32>>,
}

impl Masks {
    /// One mask per row of `maps` (b, n). No gradient flows through.
    ///
    /// # Errors
    /// `maps` cannot be read from its device.
    pub fn of(maps: &Tensor) -> TensorResult<Self> {
        let (rows, patches) = maps.dims2()?;
        let mut keys = Vec::with_capacity(rows * patches);
        let (mut thresholds, mut kept) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for map in maps.detach().to_vec2::<f32>()? {
            let (threshold, mask) = mask(&map);
            kept.push(
                (0..)
                    .zip(&mask)
                    .filter(|(_, keep)| **keep)
                    .map(|(patch, _)| patch)
                    .collect(),
            );
            keys.extend(mask.into_iter().map(u8::from));
            thresholds.push(threshold);
        }
        let keys = Tensor::from_vec(keys, (rows, patches), maps.device())?;
        Ok(Self {
            keys,
            thresholds,
            kept,
        })
    }
}

/// The threshold of one map and which of its values are kept.
///
/// Values are min–max normalised in f32. A constant map normalises to NaN, which the official code keeps everywhere.
pub fn mask(map: &[f32]) -> (f32, Vec<bool>) {
    let (low, high) = map
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| {
            (low.min(value), high.max(value))
        });
    let normalised: Vec<f32> = map.iter().map(|value| (value - low) / (high - low)).collect();
    let threshold = threshold(&normalised);
    let kept = normalised
        .iter()
        .map(|value| *value >= threshold || value.is_nan())
        .collect();
    (threshold, kept)
}

/// The smallest t/10 with the largest variance between the classes below t/10 and from t/10 on; 0 if no t separates.
fn threshold(normalised: &[f32]) -> f32 {
    let (mut best, mut best_variance) = (0.0, 0.0);
    for tenth in 1..TENTHS {
        let candidate = (f64::from(tenth) / f64::from(TENTHS)) as f32;
        let variance = between_class_variance(normalised, candidate);
        if variance > best_variance {
            (best, best_variance) = (candidate, variance);
        }
    }
    best
}

/// ω_low·ω_high·(μ_low − μ_high)²; NaN if a class is empty, which never exceeds anything.
fn between_class_variance(normalised: &[f32], threshold: f32) -> f32 {
    let (mut below, mut above) = ((0.0, 0.0), (0.0, 0.0));
    for &value in normalised {
        let class = if value < threshold { &mut below } else { &mut above };
        class.0 += 1.0;
        class.1 += f64::from(value);
    }
    let weight = (below.0 / normalised.len() as f64) * (above.0 / normalised.len() as f64);
    let distance = (below.1 / below.0) as f32 - (above.1 / above.0) as f32;
    weight as f32 * (distance * distance)
}
