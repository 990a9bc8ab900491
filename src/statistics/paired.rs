//! Two methods on the concepts that both were measured on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Interval, interval, mean, sign_flip};

/// Concepts on which one method's mean is above, equal to or below the other's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Above.
    pub wins: u32,
    /// Equal.
    pub ties: u32,
    /// Below.
    pub losses: u32,
}

/// The difference first − second over the concepts both have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// Mean difference over concepts.
    pub difference: f64,
    /// Its 95 % bootstrap interval; absent below two concepts.
    pub interval: Option<Interval>,
    /// Two-sided p value of the exact sign-flip test, not corrected for other tests.
    pub p: f64,
    /// On how many concepts which was better.
    pub tally: Tally,
    /// Concepts that both have.
    pub concepts: u32,
}

impl Paired {
    /// Compares means by concept; absent if there is no common concept.
    pub fn of(first: &BTreeMap<String, f64>, second: &BTreeMap<String, f64>) -> Option<Self> {
        let common = first
            .iter()
            .filter_map(|(concept, value)| Some(value - second.get(concept)?));
        let differences: Vec<f64> = common.collect();
        let mut tally = Tally::default();
        for difference in &differences {
            match difference.total_cmp(&0.0) {
                _ if *difference == 0.0 => tally.ties += 1,
                std::cmp::Ordering::Greater => tally.wins += 1,
                _ => tally.losses += 1,
            }
        }
        Some(Self {
            difference: mean(&differences)?,
            interval: interval(&differences),
            p: sign_flip(&differences)?,
            tally,
            concepts: differences.len() as u32,
        })
    }
}
