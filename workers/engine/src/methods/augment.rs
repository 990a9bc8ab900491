//! How a method looks at a training picture: squashed, cropped or scaled, by draws of its own (vico-spec §9.1, §9.2).

use candle_core::{DType, Device, Result, Tensor};

use crate::diffusion::NoiseStream;
use crate::image::resample::{Filter, resize, resize_square};
use crate::image::{Rgb8, to_unit_range};

/// A method's way of looking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Augmentation {
    /// Squashed to the square (bicubic), mirrored half of the time: Textual Inversion.
    Squash,
    /// Short side to the square's side (bilinear), then a square at random: DreamBooth and all class images.
    Crop {
        /// Whether half of the views are mirrored, as Custom Diffusion's class images are.
        mirror: bool,
    },
    /// Drawn smaller onto mid-grey or larger and cut (bilinear), mirrored half of the time: Custom Diffusion. Always with
    /// a mask.
    Scale {
        /// Whether the scale is drawn; otherwise the picture fills the square.
        vary: bool,
    },
}

/// What is seen of a picture.
#[derive(Clone, Debug)]
pub struct View {
    /// (3, size, size) in [−1, 1].
    pub pixels: Tensor,
    /// Where the loss counts, in latent cells (1, h, w); everywhere if `None`.
    pub mask: Option<Tensor>,
    /// What the caption starts with, to say how the picture was scaled.
    pub prefix: &'static str,
}

/// The sizes a view is made for.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Side of the square, in pixels.
    pub size: usize,
    /// Pixels per latent cell in each direction.
    pub reduction: usize,
}

/// Share of the pictures that Custom Diffusion draws smaller.
const SMALLER: f64 = 0.66;

impl Augmentation {
    /// What is seen of `picture`.
    ///
    /// # Errors
    /// The device refuses the allocation.
    pub fn view(
        self,
        picture: &Rgb8,
        frame: Frame,
        draws: &mut NoiseStream,
        device: &Device,
    ) -> Result<View> {
        match self {
            Self::Squash => {
                let squashed = resize(picture, frame.size, frame.size, Filter::Bicubic);
                let pixels = to_unit_range(&squashed, device)?;
                Ok(View::whole(mirrored(&pixels, draws)?))
            }
            Self::Crop { mirror } => {
                // Drawn before the square's place, as in Custom Diffusion's script, and only where it is needed. That place
                // is random: mirroring the square comes to the same as mirroring the picture.
                let swap = mirror && draws.below(2) == 1;
                let pixels = cropped(picture, frame.size, draws, device)?;
                Ok(View::whole(if swap { pixels.flip(&[2])? } else { pixels }))
            }
            Self::Scale { vary } => scaled(picture, (frame, vary), draws, device),
        }
    }
}

impl View {
    fn whole(pixels: Tensor) -> Self {
        Self {
            pixels,
            mask: None,
            prefix: "",
        }
    }
}

/// (3, h, w), left and right swapped in half of the cases.
fn mirrored(pixels: &Tensor, draws: &mut NoiseStream) -> Result<Tensor> {
    if draws.below(2) == 1 {
        return pixels.flip(&[2]);
    }
    Ok(pixels.clone())
}

fn cropped(picture: &Rgb8, size: usize, draws: &mut NoiseStream, device: &Device) -> Result<Tensor> {
    let (width, height) = (picture.width(), picture.height());
    let short = width.min(height);
    // torchvision's rule: the long side is truncated.
    let (width, height) = (size * width / short, size * height / short);
    let (top, left) = (draws.below(height - size + 1), draws.below(width - size + 1));
    // Only the square is computed: a very long, thin picture costs no more than another.
    let square = resize_square(picture, (width, height), (left, top), size, Filter::Bilinear);
    to_unit_range(&square, device)
}

/// diffusers `train_custom_diffusion.py` with `--hflip`: `preprocess` and the first half of `__getitem__` of its dataset,
/// whose `interpolation` is bilinear.
fn scaled(
    picture: &Rgb8,
    (frame, vary): (Frame, bool),
    draws: &mut NoiseStream,
    device: &Device,
) -> Result<View> {
    let size = frame.size;
    let scale = if vary { drawn_scale(size, draws) } else { size };
    let room = scale.abs_diff(size) + 1;
    let (top, left) = (draws.below(room), draws.below(room));
    let pixels = to_unit_range(&resize(picture, scale, scale, Filter::Bilinear), device)?;
    let pixels = mirrored(&pixels, draws)?;
    let words = usize::from(draws.below(2) == 1);
    if scale > size {
        let cells = size / frame.reduction;
        return Ok(View {
            pixels: pixels.narrow(1, top, size)?.narrow(2, left, size)?.contiguous()?,
            mask: Some(Tensor::ones((1, cells, cells), DType::F32, device)?),
            prefix: ["zoomed in ", "close up "][words],
        });
    }
    let bottom_right = (size - scale - top, size - scale - left);
    let pixels = pixels
        .pad_with_zeros(1, top, bottom_right.0)?
        .pad_with_zeros(2, left, bottom_right.1)?;
    let far = scale * 5 < size * 3;
    Ok(View {
        pixels,
        mask: Some(loss_mask((top, left), scale, frame, device)?),
        prefix: if far {
            ["a far away ", "very small "][words]
        } else {
            ""
        },
    })
}

/// Side of the drawn picture: from a third of the square to the whole of it, or 1.2 to 1.4 times it.
fn drawn_scale(size: usize, draws: &mut NoiseStream) -> usize {
    if draws.unit() < SMALLER {
        return size / 3 + draws.below(size + 1 - size / 3);
    }
    let (least, most) = (6 * size / 5, 7 * size / 5);
    least + draws.below(most - least)
}

/// 1 in the latent cells entirely inside the pasted square, less a rim of one cell, (1, h, w). Where nothing would be left,
/// as in very small latents, the square's middle cell counts.
fn loss_mask((top, left): (usize, usize), scale: usize, frame: Frame, device: &Device) -> Result<Tensor> {
    let cells = frame.size / frame.reduction;
    let inner = |start: usize| {
        let (first, end) = (
            start / frame.reduction + 1,
            ((start + scale) / frame.reduction).saturating_sub(1),
        );
        if first < end {
            return first..end;
        }
        let middle = ((start + scale / 2) / frame.reduction).min(cells - 1);
        middle..middle + 1
    };
    let (rows, columns) = (inner(top), inner(left));
    let value = |i: usize| {
        f32::from(u8::from(
            rows.contains(&(i / cells)) && columns.contains(&(i % cells)),
        ))
    };
    let values: Vec<f32> = (0..cells * cells).map(value).collect();
    Tensor::from_vec(values, (1, cells, cells), device)
}
