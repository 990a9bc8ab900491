//! One run's score table under construction, prompt after prompt.
//!
//! `<protocol>/<metric>` are the protocols' own numbers; `<protocol>/oracle_*` is what the references reach among themselves.
//! `health/*` needs no protocol of its own: it is computed from what `bench-v1` looked at, and absent without it.

use std::collections::BTreeMap;

use vico::score::{ScoreRow, ScoreTable};
use vico_engine::image::Rgb8;
use vico_engine::metrics::{
    Evaluators, Features, FileFormat, ImageFeatures, Metric, Oracle, Protocol, References, cosines,
    real_vs_real, score_images,
};

use super::health::Health;

/// What is fixed for a run, and the table so far.
pub(super) struct Scoring<'a> {
    evaluators: &'a Evaluators,
    /// What the images are kept in.
    files: FileFormat,
    protocols: Vec<Measured>,
    health: Option<Health<'a>>,
    table: ScoreTable,
    remarks: Vec<String>,
}

/// A protocol with all that it compares pictures with.
struct Measured {
    protocol: Protocol,
    metrics: Vec<Metric>,
    references: ImageFeatures,
    /// One row per prompt.
    texts: Features,
}

/// A run's table, and a sentence for everything that its numbers alone do not tell.
#[derive(Debug)]
pub struct Scored {
    /// The table.
    pub table: ScoreTable,
    /// The sentences.
    pub remarks: Vec<String>,
}

impl<'a> Scoring<'a> {
    /// A table for one concept: its photos, its class word and its prompts with `{}` in the concept's place.
    pub(super) fn new(
        evaluators: &'a Evaluators,
        protocols: Vec<Protocol>,
        references: &[Rgb8],
        about: (&str, &[String]),
        files: FileFormat,
    ) -> vico_engine::Result<Self> {
        // Before anything else: a text that is refused should cost nothing.
        let (texts, remarks) = worded(evaluators, &protocols, about)?;
        let features = evaluators.images(&protocols, references)?;
        let mut scoring = Self {
            evaluators,
            files,
            protocols: Vec::new(),
            health: None,
            table: ScoreTable::default(),
            remarks,
        };
        for ((protocol, references), texts) in protocols.into_iter().zip(features).zip(&texts) {
            scoring.add(protocol, references, texts)?;
        }
        Ok(scoring)
    }

    /// Takes a protocol in, with the features of the photos as it looks at them and the prompts as it words them.
    fn add(
        &mut self,
        protocol: Protocol,
        references: ImageFeatures,
        texts: &[String],
    ) -> vico_engine::Result<()> {
        let (evaluators, files) = (self.evaluators, self.files);
        let oracle = real_vs_real(&references)?;
        let measured = Measured {
            protocol,
            metrics: evaluators.metrics(protocol),
            references: match protocol.references() {
                References::All => references,
                References::First => references.first()?,
            },
            texts: evaluators.texts(protocol, texts)?,
        };
        self.sign(&measured, oracle);
        if protocol == Protocol::BenchV1 {
            let signature = |metric| evaluators.signature(protocol, metric, files);
            let about = (oracle, evaluators.lpips());
            self.health = Some(Health::new(about, texts.len(), files, signature));
        }
        self.protocols.push(measured);
        Ok(())
    }

    /// The signatures of a protocol's columns, and its oracle.
    fn sign(&mut self, measured: &Measured, oracle: Option<Oracle>) {
        let protocol = measured.protocol;
        for metric in &measured.metrics {
            let of_oracle = oracle.and_then(|oracle| match metric {
                Metric::ClipT => None,
                Metric::ClipI => Some(oracle.clip_i),
                Metric::DinoI => oracle.dino_i,
            });
            if let Some(cosine) = of_oracle {
                let name = format!("{protocol}/oracle_{}", metric.column());
                self.table
                    .totals
                    .insert(name.clone(), protocol.scaled(*metric, cosine));
                let signature = self.evaluators.oracle_signature(protocol, *metric, self.files);
                self.table.signatures.insert(name, signature);
            }
            let name = format!("{protocol}/{}", metric.column());
            let signature = self.evaluators.signature(protocol, *metric, self.files);
            self.table.signatures.insert(name, signature);
        }
    }

    /// Adds one row for each image of a prompt; says how many rows there are now.
    pub(super) fn prompt(&mut self, prompt: usize, images: &[Rgb8]) -> vico_engine::Result<usize> {
        let protocols: Vec<Protocol> = self.protocols.iter().map(|measured| measured.protocol).collect();
        let features = self.evaluators.images(&protocols, images)?;
        let mut rows: Vec<ScoreRow> = (0..images.len())
            .map(|sample| ScoreRow {
                prompt: prompt as u32,
                sample: sample as u32,
                values: BTreeMap::new(),
            })
            .collect();
        for (measured, features) in self.protocols.iter().zip(&features) {
            measured.fill(&mut rows, prompt, features)?;
            if let (Protocol::BenchV1, Some(health)) = (measured.protocol, &mut self.health) {
                let with_references = score_images(features, &measured.references, &measured.text(prompt)?)?;
                let with_texts = cosines(&features.clip, &measured.texts)?;
                health.prompt(&mut rows, prompt, (&with_references, &with_texts));
                health.pictures(features, images)?;
            }
        }
        self.table.rows.append(&mut rows);
        Ok(self.table.rows.len())
    }

    /// Compares images of the bare class word with the references (DreamBooth's PRES, section 4.1); none is no number.
    pub(super) fn prior(&mut self, images: &[Rgb8]) -> vico_engine::Result<()> {
        let of_bench = |measured: &&Measured| measured.protocol == Protocol::BenchV1;
        if let (Some(measured), Some(health)) = (self.protocols.iter().find(of_bench), &mut self.health) {
            for features in self.evaluators.images(&[measured.protocol], images)? {
                health.prior(&features, &measured.references)?;
            }
        }
        Ok(())
    }

    /// The table with what only the whole run shows.
    pub(super) fn finish(mut self) -> Scored {
        if let Some(health) = self.health {
            self.remarks.extend(health.finish(&mut self.table));
        }
        Scored {
            table: self.table,
            remarks: self.remarks,
        }
    }
}

/// The prompts as each protocol words them, and a remark where CLIP reads only the beginning of some.
fn worded(
    evaluators: &Evaluators,
    protocols: &[Protocol],
    (class, prompts): (&str, &[String]),
) -> vico_engine::Result<(Vec<Vec<String>>, Vec<String>)> {
    let (mut all, mut remarks) = (Vec::new(), Vec::new());
    for protocol in protocols {
        let texts = prompts.iter().map(|prompt| protocol.text(prompt, class));
        let texts: Vec<String> = texts.collect();
        let cut = evaluators.cut(*protocol, &texts)?;
        if cut > 0 {
            let of = texts.len();
            remarks.push(format!(
                "{protocol}: CLIP reads only the beginning of {cut} of {of} texts, as in the protocol's script"
            ));
        }
        all.push(texts);
    }
    Ok((all, remarks))
}

impl Measured {
    fn text(&self, prompt: usize) -> vico_engine::Result<Features> {
        let row = self.texts.rows().nth(prompt).unwrap_or_default();
        Ok(Features::new(self.texts.width(), row.to_vec())?)
    }

    fn fill(
        &self,
        rows: &mut [ScoreRow],
        prompt: usize,
        features: &ImageFeatures,
    ) -> vico_engine::Result<()> {
        let scores = score_images(features, &self.references, &self.text(prompt)?)?;
        for (row, scores) in rows.iter_mut().zip(&scores) {
            for metric in &self.metrics {
                if let Some(cosine) = scores.cosine(*metric) {
                    let name = format!("{}/{}", self.protocol, metric.column());
                    row.values.insert(name, self.protocol.scaled(*metric, cosine));
                }
            }
        }
        Ok(())
    }
}
