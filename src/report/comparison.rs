//! Every two rows of the leaderboard, paired by concept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::report::cell::concept_means;
use crate::report::{Column, RunOutcome};
use crate::statistics::{Paired, holm};

/// Two rows under one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The column, `protocol/metric`.
    pub column: String,
    /// The row that the other is subtracted from.
    pub first: String,
    /// The other row.
    pub second: String,
    /// The difference, its interval and its p value.
    #[serde(flatten)]
    pub paired: Paired,
    /// The p value after Holm's correction over all comparisons of the leaderboard.
    pub p_holm: f64,
}

/// All pairs of rows that have a concept in common, by column. Left out are columns computed in more than one way, what the
/// references reach among themselves (the same for all), and health, which is no contest.
pub(super) fn comparisons(rows: &BTreeMap<String, Vec<&RunOutcome>>, columns: &[Column]) -> Vec<Comparison> {
    let mut found = Vec::new();
    let comparable = |column: &&Column| column.signatures.len() == 1 && column.is_score();
    for column in columns.iter().filter(comparable) {
        let means: Vec<(&String, BTreeMap<String, f64>)> = rows
            .iter()
            .map(|(row, runs)| (row, concept_means(&column.name, runs)))
            .collect();
        for (at, (first, of_first)) in means.iter().enumerate() {
            for (second, of_second) in &means[at + 1..] {
                found.extend(Paired::of(of_first, of_second).map(|paired| Comparison {
                    column: column.name.clone(),
                    first: (*first).clone(),
                    second: (*second).clone(),
                    p_holm: paired.p,
                    paired,
                }));
            }
        }
    }
    let p: Vec<f64> = found.iter().map(|comparison| comparison.paired.p).collect();
    for (comparison, corrected) in found.iter_mut().zip(holm(&p)) {
        comparison.p_holm = corrected;
    }
    found
}
