//! What a score job leaves behind: one row per image, every metric of every protocol.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The document behind [`crate::job::output_names::SCORES`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreTable {
    /// Signature of each column, by `protocol/metric`; a number without one means nothing.
    pub signatures: BTreeMap<String, String>,
    /// One row per image, ordered by prompt, then sample.
    pub rows: Vec<ScoreRow>,
    /// Values of the whole run by `protocol/metric`, such as diversity and oracles. Missing is absent, never zero.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub totals: BTreeMap<String, f64>,
}

impl ScoreTable {
    /// The run's value under a column, and how many images it stands on: the total if there is one, else the mean over
    /// prompts of the mean over samples.
    pub fn mean(&self, column: &str) -> (Option<f64>, usize) {
        if let Some(total) = self.totals.get(column) {
            return (Some(*total), self.rows.len());
        }
        let prompts = self.by_prompt(column);
        let images = prompts.values().map(Vec::len).sum();
        let means = prompts.values().map(|samples| average(samples));
        let means: Vec<f64> = means.collect();
        ((!means.is_empty()).then(|| average(&means)), images)
    }

    /// The values under a column, by prompt in the order of the samples; prompts without any are left out.
    pub fn by_prompt(&self, column: &str) -> BTreeMap<u32, Vec<f64>> {
        let mut prompts: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for row in &self.rows {
            if let Some(value) = row.values.get(column) {
                prompts.entry(row.prompt).or_default().push(*value);
            }
        }
        prompts
    }
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// One image's scores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreRow {
    /// Prompt, from 0.
    pub prompt: u32,
    /// Sample, from 0.
    pub sample: u32,
    /// Values by `protocol/metric`, e.g. `bench-v1/dino_i`. Missing is absent, never zero.
    pub values: BTreeMap<String, f64>,
}
