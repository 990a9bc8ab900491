//! A mask and how well it agrees with another.

use vico_engine::image::Rgb8;

/// Which pixels show the concept.
pub(crate) struct Mask {
    side: usize,
    pixels: Vec<bool>,
}

impl Mask {
    /// Where a picture is bright.
    pub(crate) fn bright(picture: &Rgb8) -> Self {
        let pixels = picture
            .data()
            .chunks_exact(3)
            .map(|pixel| pixel[0] >= 128)
            .collect();
        Self {
            side: picture.width(),
            pixels,
        }
    }

    /// More than half of the votes, each spread over square patches.
    pub(crate) fn majority<'a>(votes: impl Iterator<Item = &'a Vec<u8>>, side: usize) -> Self {
        let votes: Vec<&Vec<u8>> = votes.collect();
        let kept = |x: usize, y: usize| {
            let of = |vote: &&&Vec<u8>| {
                let patches = vote.len().isqrt();
                vote[y * patches / side * patches + x * patches / side] == 1
            };
            2 * votes.iter().filter(of).count() > votes.len()
        };
        let pixels = (0..side * side).map(|at| kept(at % side, at / side)).collect();
        Self { side, pixels }
    }

    /// Intersection over union; 1 where both are empty.
    pub(crate) fn iou(&self, other: &Self) -> f64 {
        let pairs = || self.pixels.iter().zip(&other.pixels);
        let both = pairs().filter(|(a, b)| **a && **b).count();
        let any = pairs().filter(|(a, b)| **a || **b).count();
        if any == 0 { 1.0 } else { both as f64 / any as f64 }
    }

    /// White where the concept is.
    pub(crate) fn painted(&self) -> Rgb8 {
        let data = self
            .pixels
            .iter()
            .flat_map(|kept| [if *kept { 255 } else { 0 }; 3])
            .collect();
        Rgb8::new(self.side, self.side, data).expect("three bytes a pixel")
    }
}
