//! Feature vectors and their cosines.

use super::Error;

/// Feature vectors of one network, one row per picture or text, as the network gives them (not normalised).
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    width: usize,
    values: Vec<f32>,
}

/// What both networks say about the same pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageFeatures {
    /// CLIP image features, one row per picture.
    pub clip: Features,
    /// DINO class tokens, one row per picture; absent where DINO was not asked.
    pub dino: Option<Features>,
}

impl Features {
    /// Rows of `width` values each; every row must have a direction.
    pub fn new(width: usize, values: Vec<f32>) -> Result<Self, Error> {
        if width == 0 || !values.len().is_multiple_of(width) {
            return Err(Error::NotRows {
                values: values.len(),
                width,
            });
        }
        let directed = |row: &[f32]| {
            let norm = norm(row);
            norm.is_finite() && norm > 0.0
        };
        match values.chunks_exact(width).position(|row| !directed(row)) {
            Some(row) => Err(Error::NoDirection { row }),
            None => Ok(Self { width, values }),
        }
    }

    /// The rows.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.width)
    }

    /// Values per row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl ImageFeatures {
    /// The features of the first picture alone.
    ///
    /// # Errors
    /// There is none.
    pub fn first(&self) -> Result<Self, Error> {
        let first = |features: &Features| match features.rows().next() {
            Some(row) => Features::new(features.width, row.to_vec()),
            None => Err(Error::Empty("picture")),
        };
        Ok(Self {
            clip: first(&self.clip)?,
            dino: self.dino.as_ref().map(first).transpose()?,
        })
    }

    /// Number of pictures, the same for both networks.
    pub(super) fn count(&self) -> Result<usize, Error> {
        let clip = self.clip.len();
        let dino = self.dino.as_ref().map_or(clip, Features::len);
        if clip == dino {
            Ok(clip)
        } else {
            Err(Error::CountMismatch { clip, dino })
        }
    }
}

/// The cosine of every row of `left` (outer) with every row of `right` (inner).
pub fn cosines(left: &Features, right: &Features) -> Result<Vec<Vec<f64>>, Error> {
    if left.width != right.width {
        return Err(Error::WidthMismatch {
            left: left.width,
            right: right.width,
        });
    }
    let cosine = |a: &[f32], b: &[f32]| dot(a, b) / (norm(a) * norm(b));
    Ok(left
        .rows()
        .map(|a| right.rows().map(|b| cosine(a, b)).collect())
        .collect())
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn norm(row: &[f32]) -> f64 {
    dot(row, row).sqrt()
}
