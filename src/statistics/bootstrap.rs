//! Percentile bootstrap of a mean (Efron & Tibshirani 1993, chapter 13).

use rand_philox::Philox;
use serde::{Deserialize, Serialize};

use super::mean;

/// Resamples behind every interval.
pub const RESAMPLES: usize = 10_000;
/// Seed of everything random here; part of every signature.
pub const SEED: u64 = 0;
/// An interval holds this share of the resampled means.
const COVERAGE: f64 = 0.95;

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies in it, ends included.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The 95 % interval of the mean, by resampling `values` with replacement [`RESAMPLES`] times. Absent below two values, of
/// which nothing can be said. The same values in the same order have the same interval.
pub fn interval(values: &[f64]) -> Option<Interval> {
    if values.len() < 2 {
        return None;
    }
    let count = u32::try_from(values.len()).ok()?;
    let mut draws = Philox::from_u64_seed_stream(SEED, u64::from(count));
    let mut resampled = vec![0.0; values.len()];
    let mut means = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        for value in &mut resampled {
            *value = values[draws.bounded(count) as usize];
        }
        means.extend(mean(&resampled));
    }
    means.sort_by(f64::total_cmp);
    Some(Interval {
        low: quantile(&means, (1.0 - COVERAGE) / 2.0),
        high: quantile(&means, f64::midpoint(1.0, COVERAGE)),
    })
}

/// The quantile of sorted values, interpolated as `numpy.quantile` does by default.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let (below, part) = (position.floor() as usize, position.fract());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * part
}
