//! Sweeps with durations of the field.

use std::collections::BTreeMap;

use vico::ids::JobKey;
use vico::job::Stage;

use super::chance::Chance;
use super::staged;
use crate::core::NewJob;

/// Minutes of training on a GPU of speed 1: what papers and issue threads report for one concept on an A100, rounded.
const METHODS: [(&str, f64); 4] = [
    ("vico", 9.0),
    ("textual_inversion", 22.0),
    ("dreambooth", 12.0),
    ("custom_diffusion", 7.0),
];
const SAMPLE_MINUTES: f64 = 4.0;
const SCORE_MINUTES: f64 = 0.4;
/// Standard deviation of the logarithm of a duration: concepts and machines are not alike.
const SPREAD: f64 = 0.25;

/// A sweep of all methods over some concepts, once per train seed.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    /// Concepts.
    pub concepts: usize,
    /// Train seeds.
    pub seeds: usize,
}

impl Mix {
    /// The concepts of CustomConcept101, three times.
    pub const STANDARD: Self = Self {
        concepts: 101,
        seeds: 3,
    };

    /// Its jobs, and what each costs in seconds on a GPU of speed 1.
    pub(super) fn jobs(self, chance: Chance) -> (Vec<NewJob>, BTreeMap<JobKey, f64>) {
        let (mut jobs, mut work) = (Vec::new(), BTreeMap::new());
        for run in 0..self.concepts * self.seeds {
            for (method, minutes) in METHODS {
                for job in staged::chain("mix", method, run) {
                    let usual = match job.stage {
                        Stage::ClassImages | Stage::Train => minutes,
                        Stage::Sample => SAMPLE_MINUTES,
                        Stage::Score => SCORE_MINUTES,
                    };
                    let factor = (SPREAD * chance.normal(&job.label, 0)).exp();
                    work.insert(job.key, 60.0 * usual * factor);
                    jobs.push(job);
                }
            }
        }
        (jobs, work)
    }
}
