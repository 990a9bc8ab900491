//! The paired sign-flip test (Fisher's randomisation test): if two methods were equal, each concept's difference could as
//! well have had the other sign.

use rand_philox::Philox;

use super::SEED;

/// Up to this many pairs every combination of signs is counted: about a million.
pub const MOST_ENUMERATED: usize = 20;
/// Above it, this many combinations are drawn.
const DRAWN: u32 = 100_000;
/// Sums closer than this, relative to the sum of absolute differences, count as equal, so that rounding cannot turn a tie.
const TIE: f64 = 1e-12;

/// The two-sided p value of the mean of paired `differences` being this far from 0 by chance; absent without pairs.
///
/// Exact up to [`MOST_ENUMERATED`] pairs. Above, (hits + 1) / (draws + 1) over seeded draws, which is never 0
/// (Phipson & Smyth 2010).
pub fn sign_flip(differences: &[f64]) -> Option<f64> {
    if differences.is_empty() {
        return None;
    }
    let observed = differences.iter().sum::<f64>().abs();
    let slack = TIE * differences.iter().map(|difference| difference.abs()).sum::<f64>();
    let reaches = |sum: f64| sum.abs() >= observed - slack;
    if differences.len() > MOST_ENUMERATED {
        return Some(drawn(differences, reaches));
    }
    // Flipping all signs changes no absolute sum: the first sign can stay.
    let combinations = 1_u32 << (differences.len() - 1);
    let hits = (0..combinations)
        .filter(|signs| reaches(flipped_sum(differences, signs << 1)))
        .count();
    Some(hits as f64 / f64::from(combinations))
}

/// The sum with the sign of difference i flipped where bit i of `signs` is set.
fn flipped_sum(differences: &[f64], signs: u32) -> f64 {
    let signed = differences.iter().enumerate();
    signed
        .map(|(i, difference)| {
            if signs >> i & 1 == 1 {
                -difference
            } else {
                *difference
            }
        })
        .sum()
}

fn drawn(differences: &[f64], reaches: impl Fn(f64) -> bool) -> f64 {
    let mut draws = Philox::from_u64_seed_stream(SEED, differences.len() as u64);
    let mut hits = 0_u32;
    for _ in 0..DRAWN {
        let sum: f64 = differences
            .chunks(32)
            .map(|part| flipped_sum(part, draws.next_u32()))
            .sum();
        hits += u32::from(reaches(sum));
    }
    f64::from(hits + 1) / f64::from(DRAWN + 1)
}
