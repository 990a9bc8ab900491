//! Pillow's 8-bit resampling, byte for byte (Pillow 12.3, `src/libImaging/Resample.c`).
//!
//! Published metrics and training scripts resize with Pillow; no common Rust resizer gives the same bytes (12–18 % of
//! them differ). Weights are fixed point with 22 fraction bits; the horizontal pass comes first, then the vertical one,
//! with 8 bits in between; kernels widen when shrinking. Pillow 13 takes the vertical pass first for some tall
//! pictures: this is the order of every Pillow before it.

use std::ops::Range;

use super::Rgb8;

const FRACTION_BITS: u32 = 22;

/// An interpolation kernel of Pillow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Triangle, support 1.
    Bilinear,
    /// Cubic convolution with a = -0.5, support 2.
    Bicubic,
}

/// One direction of a resize: from and to how many samples, and which of the new ones are wanted.
struct Pass {
    from: usize,
    to: usize,
    window: Range<usize>,
}

/// Resizes to `width` x `height`, not keeping the aspect ratio; a side of 0 counts as 1.
#[must_use]
pub fn resize(picture: &Rgb8, width: usize, height: usize, filter: Filter) -> Rgb8 {
    let whole = |from: usize, to: usize| Pass {
        from,
        to,
        window: 0..to.max(1),
    };
    run(
        picture,
        &whole(picture.width(), width.max(1)),
        &whole(picture.height(), height.max(1)),
        filter,
    )
}

/// What [`resize`] makes of a picture, of which only a square is computed: `size` columns and rows from `left` and `top` on.
///
/// # Panics
/// The square does not lie in the resized picture.
#[must_use]
pub fn resize_square(
    picture: &Rgb8,
    (width, height): (usize, usize),
    (left, top): (usize, usize),
    size: usize,
    filter: Filter,
) -> Rgb8 {
    assert!(
        left + size <= width && top + size <= height,
        "a square outside the picture"
    );
    let columns = Pass {
        from: picture.width(),
        to: width,
        window: left..left + size,
    };
    let rows = Pass {
        from: picture.height(),
        to: height,
        window: top..top + size,
    };
    run(picture, &columns, &rows, filter)
}

/// Resizes so that the short side becomes `short`, then cuts a `crop` x `crop` square out of the middle.
///
/// The long side is truncated, the offsets are rounded with halves to even, as torchvision's
/// `Resize(short)` and `CenterCrop(crop)` do. `None` if `crop` is 0 or larger than `short`.
/// Only the square is computed: a very long, thin picture costs no more than another.
#[must_use]
pub fn short_side_crop(picture: &Rgb8, short: usize, crop: usize, filter: Filter) -> Option<Rgb8> {
    if !(1..=short).contains(&crop) {
        return None;
    }
    let (w, h) = (picture.width(), picture.height());
    let (width, height) = (short * w / w.min(h), short * h / w.min(h));
    let middle = |to: usize| ((to - crop) as f64 / 2.0).round_ties_even() as usize;
    let (left, top) = (middle(width), middle(height));
    Some(resize_square(picture, (width, height), (left, top), crop, filter))
}

fn run(picture: &Rgb8, columns: &Pass, rows: &Pass, filter: Filter) -> Rgb8 {
    let wide = horizontal(picture.data(), columns, filter);
    let data = vertical(&wide, columns.window.len(), rows, filter);
    Rgb8::of_pass(columns.window.len(), rows.window.len(), data)
}

/// The input range one output position of a pass reads, with a weight for each sample.
pub(crate) struct Taps<W> {
    pub(crate) first: usize,
    pub(crate) weights: Vec<W>,
}

/// The taps of every output position in `window`; weights sum to one.
///
/// Where the size does not change they are a single one among zeros, so such a pass keeps every byte.
pub(crate) fn taps(
    from: usize,
    to: usize,
    window: Range<usize>,
    filter: Filter,
) -> impl Iterator<Item = Taps<f64>> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    window.map(move |i| {
        let centre = (i as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let last = ((centre + support + 0.5) as usize).min(from);
        let weight = |x| filter.weight((x as f64 - centre + 0.5) / stretch);
        let mut weights: Vec<f64> = (first..last).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= sum;
        }
        Taps { first, weights }
    })
}

impl Pass {
    /// The taps in fixed point, rounded half away from zero.
    fn taps(&self, filter: Filter) -> Vec<Taps<i32>> {
        let fixed = |weight: f64| (weight * f64::from(1 << FRACTION_BITS)).round() as i32;
        taps(self.from, self.to, self.window.clone(), filter)
            .map(|taps| Taps {
                first: taps.first,
                weights: taps.weights.into_iter().map(fixed).collect(),
            })
            .collect()
    }
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Self::Bilinear if x < 1.0 => 1.0 - x,
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        }
    }
}

fn horizontal(data: &[u8], pass: &Pass, filter: Filter) -> Vec<u8> {
    let kernel = pass.taps(filter);
    let rows = data.chunks_exact(3 * pass.from);
    let mut out = Vec::with_capacity(3 * kernel.len() * rows.len());
    for row in rows {
        for taps in &kernel {
            let pixels = row[3 * taps.first..].chunks_exact(3);
            let mut sums = [1 << (FRACTION_BITS - 1); 3];
            for (weight, pixel) in taps.weights.iter().zip(pixels) {
                for (sum, sample) in sums.iter_mut().zip(pixel) {
                    *sum += weight * i32::from(*sample);
                }
            }
            out.extend(sums.map(to_byte));
        }
    }
    out
}

fn vertical(data: &[u8], width: usize, pass: &Pass, filter: Filter) -> Vec<u8> {
    let kernel = pass.taps(filter);
    let mut out = Vec::with_capacity(3 * width * kernel.len());
    let mut sums = vec![0; 3 * width];
    for taps in &kernel {
        sums.fill(1 << (FRACTION_BITS - 1));
        let rows = data[3 * width * taps.first..].chunks_exact(3 * width);
        for (weight, row) in taps.weights.iter().zip(rows) {
            for (sum, sample) in sums.iter_mut().zip(row) {
                *sum += weight * i32::from(*sample);
            }
        }
        out.extend(sums.iter().map(|sum| to_byte(*sum)));
    }
    out
}

fn to_byte(sum: i32) -> u8 {
    (sum >> FRACTION_BITS).clamp(0, 255) as u8
}
