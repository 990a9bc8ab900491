//! `health/*`: what tells a collapsed, copying or broken run.

use std::collections::BTreeMap;

use vico::score::{ScoreRow, ScoreTable};
use vico::statistics::mean;
use vico_engine::image::Rgb8;
use vico_engine::metrics::{
    Duplicates, FileFormat, ImageFeatures, Lpips, Metric, Oracle, Scores, diversity, is_first_choice,
    mean_cosine, share_above,
};

/// Cosine with the closest reference, by DINO.
const COPY: &str = "health/copy_score";
/// 1 where an image's own prompt is the closest of all prompts, by CLIP; its mean is R-precision at 1.
const R_PRECISION: &str = "health/r_precision";
/// 1 − mean DINO cosine between samples of a prompt, mean over prompts.
const DIVERSITY: &str = "health/diversity_dino";
/// Mean LPIPS between samples of a prompt, mean over prompts (DreamBooth's DIV).
const DIVERSITY_LPIPS: &str = "health/diversity_lpips";
/// Share of images closer to a reference than references are to each other on average.
const ABOVE_ORACLE: &str = "health/above_oracle";
/// Mean DINO cosine of images of the bare class word with the references: the lower, the less the class has become the
/// concept.
const PRIOR: &str = "health/prior_preservation";
/// Images with exactly the pixels of an earlier one.
const DUPLICATES: &str = "health/duplicates";

/// A run's health so far.
pub(super) struct Health<'a> {
    lpips: Option<&'a Lpips>,
    /// Mean DINO cosine of the references among themselves.
    oracle: Option<f64>,
    prompts: usize,
    signatures: BTreeMap<&'static str, String>,
    copies: Vec<f64>,
    diversities: Vec<f64>,
    diversities_lpips: Vec<f64>,
    /// Pairs of pictures that have no LPIPS distance.
    left_out: usize,
    duplicates: Duplicates,
    prior: Option<f64>,
}

impl<'a> Health<'a> {
    /// `signature` gives that of a metric under the protocol whose features are used.
    pub(super) fn new(
        (oracle, lpips): (Option<Oracle>, Option<&'a Lpips>),
        prompts: usize,
        files: FileFormat,
        signature: impl Fn(Metric) -> String,
    ) -> Self {
        let of = |metric, rule: &str| format!("{}|health:{rule}.1", signature(metric));
        let mut signatures = BTreeMap::from([
            (COPY, of(Metric::DinoI, "maxref")),
            (R_PRECISION, of(Metric::ClipT, "top1.otherprompts")),
            (DIVERSITY, of(Metric::DinoI, "1-meanpair")),
            (ABOVE_ORACLE, of(Metric::DinoI, "maxref>oracle")),
            (PRIOR, of(Metric::DinoI, "classword.meanpair")),
            (DUPLICATES, "health:samepixels.1".to_owned()),
        ]);
        if let Some(lpips) = lpips {
            signatures.insert(DIVERSITY_LPIPS, lpips.diversity_signature(files));
        }
        Self {
            lpips,
            oracle: oracle.and_then(|oracle| oracle.dino_i),
            prompts,
            signatures,
            copies: Vec::new(),
            diversities: Vec::new(),
            diversities_lpips: Vec::new(),
            left_out: 0,
            duplicates: Duplicates::default(),
            prior: None,
        }
    }

    /// The values of each image: its scores, and its cosine with the text of every prompt.
    pub(super) fn prompt(
        &mut self,
        rows: &mut [ScoreRow],
        prompt: usize,
        (scores, with_texts): (&[Scores], &[Vec<f64>]),
    ) {
        for ((row, scores), with_texts) in rows.iter_mut().zip(scores).zip(with_texts) {
            if let Some(closest) = scores.closest_dino_i {
                row.values.insert(COPY.to_owned(), closest);
                self.copies.push(closest);
            }
            // Of one prompt every image is the first choice, which says nothing.
            if self.prompts > 1 {
                let first = f64::from(u8::from(is_first_choice(with_texts, prompt)));
                row.values.insert(R_PRECISION.to_owned(), first);
            }
        }
    }

    /// What the images of a prompt are to each other.
    pub(super) fn pictures(&mut self, features: &ImageFeatures, images: &[Rgb8]) -> vico_engine::Result<()> {
        if let Some(dino) = &features.dino {
            self.diversities.extend(diversity(dino)?);
        }
        if let Some(lpips) = self.lpips {
            let diversity = lpips.diversity(images)?;
            self.diversities_lpips.extend(diversity.mean);
            self.left_out += diversity.left_out;
        }
        for image in images {
            self.duplicates.add(image);
        }
        Ok(())
    }

    /// What images of the bare class word are to the references.
    pub(super) fn prior(
        &mut self,
        features: &ImageFeatures,
        references: &ImageFeatures,
    ) -> vico_engine::Result<()> {
        if let (Some(images), Some(references)) = (&features.dino, &references.dino) {
            self.prior = mean_cosine(images, references)?;
        }
        Ok(())
    }

    /// Adds the totals, and the signatures of what is there. A remark where something is not.
    pub(super) fn finish(self, table: &mut ScoreTable) -> Option<String> {
        let above = self.oracle.and_then(|oracle| share_above(&self.copies, oracle));
        let totals = [
            (DIVERSITY, mean(&self.diversities)),
            (DIVERSITY_LPIPS, mean(&self.diversities_lpips)),
            (ABOVE_ORACLE, above),
            (PRIOR, self.prior),
            (DUPLICATES, Some(self.duplicates.count() as f64)),
        ];
        for (name, value) in totals {
            table.totals.extend(value.map(|value| (name.to_owned(), value)));
        }
        let of_images = [COPY, R_PRECISION];
        let in_rows = |name: &str| table.rows.iter().any(|row| row.values.contains_key(name));
        for (name, signature) in self.signatures {
            let there = table.totals.contains_key(name) || (of_images.contains(&name) && in_rows(name));
            if there {
                table.signatures.insert(name.to_owned(), signature);
            }
        }
        let left_out = self.left_out;
        (left_out > 0).then(|| {
            format!("{DIVERSITY_LPIPS} leaves out {left_out} pairs of pictures of different sizes, which LPIPS cannot compare")
        })
    }
}
