//! From features to scores: raw cosines and their means, nothing scaled, nothing clipped.

use serde::{Deserialize, Serialize};

use super::{Error, Features, ImageFeatures, cosines};

/// The scores of one picture, or the mean over several.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Cosine with the prompt's text, by CLIP.
    pub clip_t: f64,
    /// Mean cosine with the reference images, by CLIP.
    pub clip_i: f64,
    /// Mean cosine with the reference images, by DINO.
    pub dino_i: f64,
    /// Cosine with the closest reference image, by DINO: near one, the picture is a copy.
    pub closest_dino_i: f64,
}

/// How similar the reference images are among themselves: what a perfect method could reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Oracle {
    /// Mean cosine over pairs of different reference images, by CLIP.
    pub clip_i: f64,
    /// The same, by DINO.
    pub dino_i: f64,
}

/// Scores every picture of one cell (one concept, one prompt): references and text are those of the cell.
pub fn score_images(
    pictures: &ImageFeatures,
    references: &ImageFeatures,
    text: &Features,
) -> Result<Vec<Scores>, Error> {
    if references.count()? == 0 {
        return Err(Error::Empty("reference images"));
    }
    if text.is_empty() {
        return Err(Error::Empty("text"));
    }
    let (clip_t, clip_i) = (
        cosines(&pictures.clip, text)?,
        cosines(&pictures.clip, &references.clip)?,
    );
    let dino_i = cosines(&pictures.dino, &references.dino)?;
    let score = |i: usize| Scores {
        clip_t: average(&clip_t[i]),
        clip_i: average(&clip_i[i]),
        dino_i: average(&dino_i[i]),
        closest_dino_i: dino_i[i].iter().copied().fold(f64::MIN, f64::max),
    };
    Ok((0..pictures.count()?).map(score).collect())
}

/// The mean over pictures, which is the mean over all pairs of picture and reference; `None` of nothing.
pub fn mean(scores: &[Scores]) -> Option<Scores> {
    if scores.is_empty() {
        return None;
    }
    let over = |value: fn(&Scores) -> f64| scores.iter().map(value).sum::<f64>() / scores.len() as f64;
    Some(Scores {
        clip_t: over(|s| s.clip_t),
        clip_i: over(|s| s.clip_i),
        dino_i: over(|s| s.dino_i),
        closest_dino_i: over(|s| s.closest_dino_i),
    })
}

/// Reference images against each other. A picture is never compared with itself, which would raise the mean by
/// about 1 / n; `None` for fewer than two.
pub fn real_vs_real(references: &ImageFeatures) -> Result<Option<Oracle>, Error> {
    if references.count()? < 2 {
        return Ok(None);
    }
    let (clip, dino) = (&references.clip, &references.dino);
    Ok(Some(Oracle {
        clip_i: off_diagonal(&cosines(clip, clip)?),
        dino_i: off_diagonal(&cosines(dino, dino)?),
    }))
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn off_diagonal(matrix: &[Vec<f64>]) -> f64 {
    let n = matrix.len();
    let others = matrix.iter().enumerate().flat_map(|(i, row)| {
        row.iter()
            .enumerate()
            .filter(move |(j, _)| i != *j)
            .map(|(_, cosine)| cosine)
    });
    others.sum::<f64>() / (n * (n - 1)) as f64
}
