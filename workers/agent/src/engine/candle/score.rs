//! A score job on the engine: images in, one table of every metric of every protocol out.

use std::collections::BTreeMap;

use vico::job::{Failure, FailureClass, output_names};
use vico::score::{ScoreRow, ScoreTable};
use vico_engine::image::Rgb8;
use vico_engine::metrics::{Evaluators, ImageFeatures, Metric, Protocol, Scores, score_images};

use super::{failure, pictures};
use crate::engine::{Ended, ScoreWork, Watch};

/// Gives a metric's value.
type Value = fn(&Scores) -> f64;

/// Every metric, its column below a protocol's name, and its value.
const METRICS: [(Metric, &str, Value); 3] = [
    (Metric::ClipT, "clip_t", |scores| scores.clip_t),
    (Metric::ClipI, "clip_i", |scores| scores.clip_i),
    (Metric::DinoI, "dino_i", |scores| scores.dino_i),
];

pub(super) fn score(evaluators: &Evaluators, work: &ScoreWork, watch: &mut Watch) -> Result<Ended, Failure> {
    let protocols = protocols(&work.inputs.protocols)?;
    let scoring = Scoring::new(evaluators, protocols, work)?;
    let per_prompt = work.inputs.images_per_prompt as usize;
    let of = work.images.len() as u64;
    let mut rows = Vec::new();
    for (prompt, files) in work.images.chunks(per_prompt.max(1)).enumerate() {
        if watch.interrupt().is_some() {
            return Ok(Ended::Stopped);
        }
        rows.extend(scoring.prompt(prompt, &pictures(files)?)?);
        watch.progress(rows.len() as u64, of, format!("prompt {} scored", prompt + 1));
    }
    let table = ScoreTable {
        signatures: scoring.signatures(),
        rows,
        totals: BTreeMap::new(),
    };
    let bytes = serde_json::to_vec(&table).map_err(|error| Failure {
        class: FailureClass::Internal,
        message: format!("writing the scores: {error}"),
    })?;
    watch.output(output_names::SCORES.to_owned(), bytes);
    Ok(Ended::Finished)
}

fn protocols(names: &[String]) -> Result<Vec<Protocol>, Failure> {
    let parse = |name: &String| {
        name.parse()
            .map_err(|unknown: vico_engine::metrics::UnknownProtocol| Failure {
                class: FailureClass::VersionMismatch,
                message: unknown.to_string(),
            })
    };
    names.iter().map(parse).collect()
}

/// The fixed part of a job: networks, protocols, references.
struct Scoring<'a> {
    evaluators: &'a Evaluators,
    references: Vec<(Protocol, ImageFeatures)>,
    work: &'a ScoreWork,
}

impl<'a> Scoring<'a> {
    fn new(
        evaluators: &'a Evaluators,
        protocols: Vec<Protocol>,
        work: &'a ScoreWork,
    ) -> Result<Self, Failure> {
        let references = pictures(&work.references)?;
        let of = |protocol| Ok((protocol, evaluators.images(protocol, &references)?));
        let references = protocols.into_iter().map(of).collect::<vico_engine::Result<_>>();
        let references = references.map_err(|error| failure("measuring the reference images", error))?;
        Ok(Self {
            evaluators,
            references,
            work,
        })
    }

    /// One row for each image of a prompt.
    fn prompt(&self, prompt: usize, images: &[Rgb8]) -> Result<Vec<ScoreRow>, Failure> {
        let mut rows: Vec<ScoreRow> = (0..images.len())
            .map(|sample| ScoreRow {
                prompt: prompt as u32,
                sample: sample as u32,
                values: BTreeMap::new(),
            })
            .collect();
        for (protocol, references) in &self.references {
            let scores = self.scores(*protocol, references, prompt, images);
            let scores = scores.map_err(|error| failure(&format!("scoring prompt {prompt}"), error))?;
            for (row, scores) in rows.iter_mut().zip(&scores) {
                let values = METRICS.map(|(_, name, value)| (column(*protocol, name), value(scores)));
                row.values.extend(values);
            }
        }
        Ok(rows)
    }

    fn scores(
        &self,
        protocol: Protocol,
        references: &ImageFeatures,
        prompt: usize,
        images: &[Rgb8],
    ) -> vico_engine::Result<Vec<Scores>> {
        let inputs = &self.work.inputs;
        let text = protocol.text(&inputs.prompts[prompt].0, &inputs.concept.class);
        let text = self.evaluators.texts(&[text])?;
        let images = self.evaluators.images(protocol, images)?;
        Ok(score_images(&images, references, &text)?)
    }

    fn signatures(&self) -> BTreeMap<String, String> {
        let of = |protocol: Protocol| {
            METRICS.map(|(metric, name, _)| {
                (
                    column(protocol, name),
                    self.evaluators.signature(protocol, metric),
                )
            })
        };
        self.references
            .iter()
            .flat_map(|(protocol, _)| of(*protocol))
            .collect()
    }
}

fn column(protocol: Protocol, metric: &str) -> String {
    format!("{protocol}/{metric}")
}
