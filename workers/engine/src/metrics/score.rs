//! From features to scores: raw cosines and their means, nothing scaled, nothing clipped.

use super::{Error, Features, ImageFeatures, Metric, cosines};

/// The scores of one picture, or the mean over several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// Cosine with the prompt's text, by CLIP.
    pub clip_t: f64,
    /// Mean cosine with the reference images, by CLIP.
    pub clip_i: f64,
    /// Mean cosine with the reference images, by DINO; absent where DINO was not asked.
    pub dino_i: Option<f64>,
    /// Cosine with the closest reference image, by DINO: near one, the picture is a copy.
    pub closest_dino_i: Option<f64>,
}

impl Scores {
    /// The cosine of a metric, before a protocol scales it.
    pub fn cosine(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::ClipT => Some(self.clip_t),
            Metric::ClipI => Some(self.clip_i),
            Metric::DinoI => self.dino_i,
        }
    }
}

/// How similar the reference images are among themselves: what a perfect method could reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Oracle {
    /// Mean cosine over pairs of different reference images, by CLIP.
    pub clip_i: f64,
    /// The same, by DINO; absent where DINO was not asked.
    pub dino_i: Option<f64>,
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
    let dino_i = match (&pictures.dino, &references.dino) {
        (Some(pictures), Some(references)) => Some(cosines(pictures, references)?),
        _ => None,
    };
    let score = |i: usize| Scores {
        clip_t: average(&clip_t[i]),
        clip_i: average(&clip_i[i]),
        dino_i: dino_i.as_ref().map(|cosines| average(&cosines[i])),
        closest_dino_i: dino_i
            .as_ref()
            .map(|cosines| cosines[i].iter().copied().fold(f64::MIN, f64::max)),
    };
    Ok((0..pictures.count()?).map(score).collect())
}

/// Reference images against each other. A picture is never compared with itself, which would raise the mean by
/// about 1 / n; `None` for fewer than two.
pub fn real_vs_real(references: &ImageFeatures) -> Result<Option<Oracle>, Error> {
    if references.count()? < 2 {
        return Ok(None);
    }
    let among = |features: &Features| Ok::<_, Error>(off_diagonal(&cosines(features, features)?));
    Ok(Some(Oracle {
        clip_i: among(&references.clip)?,
        dino_i: references.dino.as_ref().map(among).transpose()?,
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
