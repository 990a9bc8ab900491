//! Runs made up for the tests of this module.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::{Attempt, JobKey, LeaseId};
use crate::job::{BlobRef, DeviceFacts, Receipt, Stage, output_names};
use crate::report::{Photo, RunOutcome};
use crate::score::{ScoreRow, ScoreTable};

pub(crate) const METRICS: [&str; 2] = ["bench-v1/clip_t", "bench-v1/dino_i"];

/// A run of two prompts × two samples. `value(prompt, sample)` is the score of an image, `None` for one not measured.
pub(crate) fn run(method: &str, concept: &str, value: impl Fn(u32, u32) -> Option<f64>) -> RunOutcome {
    let mut rows = Vec::new();
    for (prompt, sample) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let values = value(prompt, sample)
            .map(|value| {
                METRICS
                    .iter()
                    .map(|metric| ((*metric).to_owned(), value))
                    .collect()
            })
            .unwrap_or_default();
        rows.push(ScoreRow {
            prompt,
            sample,
            values,
        });
    }
    let signatures = METRICS
        .iter()
        .map(|metric| ((*metric).to_owned(), format!("proto:{metric}")))
        .collect();
    RunOutcome {
        method: method.parse().unwrap(),
        point: String::new(),
        concept: concept.parse().unwrap(),
        train_seed: 7,
        class: "house".to_owned(),
        patterns: vec!["a {} in the snow".to_owned(), "a \"red\" {}, old".to_owned()],
        prompts: vec!["a * in the snow".to_owned(), "a \"red\" *, old".to_owned()],
        prior_prompt: "a photo of a house".to_owned(),
        images_per_prompt: 2,
        sample_seed: 3,
        base: Some(Digest::of(b"base")),
        references: vec![Photo {
            name: "front.jpg".to_owned(),
            blob: BlobRef {
                digest: Digest::of(concept.as_bytes()),
                size: 500,
            },
        }],
        is_trained: true,
        is_measured: true,
        class_images: None,
        train: Some(receipt(
            Stage::Train,
            concept,
            &[output_names::ADAPTER.to_owned()],
        )),
        sample: Some(receipt(
            Stage::Sample,
            concept,
            &[(0, 0), (0, 1), (1, 0), (1, 1)].map(|(prompt, sample)| output_names::image(prompt, sample)),
        )),
        score: Some(receipt(
            Stage::Score,
            &format!("{method}/{concept}"),
            &[output_names::SCORES.to_owned()],
        )),
        scores: Some(ScoreTable {
            signatures,
            rows,
            totals: BTreeMap::new(),
        }),
    }
}

pub(crate) fn receipt<const N: usize>(stage: Stage, salt: &str, outputs: &[String; N]) -> Receipt {
    let blob = |name: &String| BlobRef {
        digest: Digest::of(format!("{salt}/{name}").as_bytes()),
        size: 1000,
    };
    Receipt {
        job: JobKey(Digest::of(format!("{stage}/{salt}").as_bytes())),
        stage,
        outputs: outputs
            .iter()
            .map(|name| (name.clone(), blob(name)))
            .collect::<BTreeMap<_, _>>(),
        upstream: Vec::new(),
        worker: "w1".parse().unwrap(),
        device: DeviceFacts {
            name: "cpu".to_owned(),
            ..DeviceFacts::default()
        },
        lease: LeaseId(1),
        attempt: Attempt(1),
        started: Timestamp(0),
        finished: Timestamp(1000),
    }
}
