//! A mask and how well it agrees with another.

use candle_core::{Result as TensorResult, Tensor};
use vico_engine::image::Rgb8;
use vico_engine::methods::vico::otsu;

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

    /// ViCo's own mask: Otsu's threshold over one map, in square patches.
    pub(crate) fn of_map(map: &Tensor, side: usize) -> TensorResult<Self> {
        let (_, kept) = otsu::mask(&map.to_vec1()?);
        Ok(Self::of_patches(&kept, side))
    }

    /// One mask of many maps: each is divided by its mean, so that an even map says nothing, and drawn smoothly at the
    /// picture's size; Otsu's threshold comes once, over the mean of all.
    pub(crate) fn of_maps<'a>(maps: impl Iterator<Item = &'a Tensor>, side: usize) -> TensorResult<Self> {
        let mut sum: Option<Tensor> = None;
        for map in maps {
            let patches = map.elem_count().isqrt();
            let density = map.broadcast_div(&map.mean_all()?)?;
            let density = density.reshape((1, 1, patches, patches))?;
            let smooth = density.upsample_bilinear2d(side, side, false)?.flatten_all()?;
            sum = Some(match sum {
                None => smooth,
                Some(sum) => (sum + smooth)?,
            });
        }
        let Some(sum) = sum else {
            candle_core::bail!("no maps to make a mask of");
        };
        let (_, pixels) = otsu::mask(&sum.to_vec1()?);
        Ok(Self { side, pixels })
    }

    /// The closest that a grid of so many patches a side comes: those that are at least half covered.
    pub(crate) fn on_grid(&self, patches: usize) -> Self {
        let wide = self.side / patches;
        let half_covered = |patch: usize| {
            let (left, top) = (patch % patches * wide, patch / patches * wide);
            let pixels = (top..top + wide).flat_map(|y| (left..left + wide).map(move |x| (x, y)));
            let covered = pixels.filter(|(x, y)| self.pixels[y * self.side + x]);
            2 * covered.count() >= wide * wide
        };
        let kept: Vec<bool> = (0..patches * patches).map(half_covered).collect();
        Self::of_patches(&kept, self.side)
    }

    /// Pixels a side.
    pub(crate) fn side(&self) -> usize {
        self.side
    }

    fn of_patches(kept: &[bool], side: usize) -> Self {
        let patches = kept.len().isqrt();
        let patch = |at: usize| at / side * patches / side * patches + at % side * patches / side;
        let pixels = (0..side * side).map(|at| kept[patch(at)]).collect();
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
