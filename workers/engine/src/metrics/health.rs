//! What tells a collapsed, copying or broken run: computed from features and pixels that are at hand anyway.

use std::collections::HashSet;

use super::{Error, Features, cosines};
use crate::image::Rgb8;

/// 1 − mean cosine over pairs of different pictures of one prompt, by DINO: 0 where all are the same. `None` below two.
pub fn diversity(pictures: &Features) -> Result<Option<f64>, Error> {
    let count = pictures.len();
    if count < 2 {
        return Ok(None);
    }
    let matrix = cosines(pictures, pictures)?;
    let pairs = (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j)));
    let sum: f64 = pairs.map(|(i, j)| matrix[i][j]).sum();
    Ok(Some(1.0 - sum / (count * (count - 1) / 2) as f64))
}

/// Mean cosine over all pairs of a picture of one set and one of the other, by DINO: with pictures of the bare class word
/// and real photos of the concept, DreamBooth's PRES (arXiv 2208.12242, section 4.1). `None` of nothing.
pub fn mean_cosine(pictures: &Features, references: &Features) -> Result<Option<f64>, Error> {
    let pairs = pictures.len() * references.len();
    if pairs == 0 {
        return Ok(None);
    }
    let sum: f64 = cosines(pictures, references)?.iter().flatten().sum();
    Ok(Some(sum / pairs as f64))
}

/// Whether the text `own` is closest to the picture among all texts of the run, by CLIP (R-precision at 1). A tie with
/// another text is no win.
pub fn is_first_choice(with_texts: &[f64], own: usize) -> bool {
    let mut others = with_texts.iter().enumerate().filter(|(text, _)| *text != own);
    others.all(|(_, cosine)| *cosine < with_texts[own])
}

/// The share of values above `limit`; `None` of nothing.
pub fn share_above(values: &[f64], limit: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let above = values.iter().filter(|value| **value > limit).count();
    Some(above as f64 / values.len() as f64)
}

/// Counts pictures with exactly the pixels of an earlier one, keeping a digest of each.
#[derive(Debug, Default)]
pub struct Duplicates {
    seen: HashSet<blake3::Hash>,
    count: usize,
}

impl Duplicates {
    /// Looks at one more picture.
    pub fn add(&mut self, picture: &Rgb8) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(picture.width() as u64).to_le_bytes());
        hasher.update(picture.data());
        self.count += usize::from(!self.seen.insert(hasher.finalize()));
    }

    /// How many there were so far.
    pub fn count(&self) -> usize {
        self.count
    }
}
