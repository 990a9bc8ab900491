//! PNG and JPEG bytes to RGB, with limits that hold before anything is decoded.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use super::{Error, Rgb8, jpeg};

/// Memory the decoder may take beside the picture itself (rows, compressed profiles and comments).
const SCRATCH_BYTES: u64 = 64 << 20;

/// How large a picture may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Pixels according to the header.
    pub pixels: u64,
}

impl Default for Limits {
    /// 64 MiB and 64 megapixels: above any camera's photo, below what hurts a worker.
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            pixels: 64 << 20,
        }
    }
}

/// What to do with the EXIF orientation that phones write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exif {
    /// Turn the picture upright.
    #[default]
    Apply,
    /// Leave the pixels as stored, as Pillow and the published training scripts do.
    Ignore,
}

/// Decodes a PNG or JPEG, by content, and turns it upright.
///
/// Grey becomes RGB; alpha is dropped and 16-bit samples keep their high byte, as Pillow's `convert("RGB")` does, but for
/// 16-bit grey, of which Pillow 13 makes white wherever a sample is above 255. CMYK is an error, as is a file that
/// ends early.
/// JPEG decoders differ in the last bits: against libjpeg-turbo (Pillow) 7 % of a photo's bytes differ, by 4 at most.
pub fn decode(file: &[u8], limits: &Limits) -> Result<Rgb8, Error> {
    decode_with(file, limits, Exif::Apply)
}

/// [`decode`] with a choice about EXIF orientation.
pub fn decode_with(file: &[u8], limits: &Limits, exif: Exif) -> Result<Rgb8, Error> {
    if file.len() > limits.bytes {
        return Err(Error::TooManyBytes {
            found: file.len(),
            limit: limits.bytes,
        });
    }
    let mut decoder = open(file)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.pixels {
        return Err(Error::TooManyPixels {
            width,
            height,
            limit: limits.pixels,
        });
    }
    let orientation = match exif {
        Exif::Apply => decoder.orientation().map_err(decode_error)?,
        Exif::Ignore => Orientation::NoTransforms,
    };
    let mut picture = read_pixels(decoder)?;
    picture.apply_orientation(orientation);
    to_rgb(&picture)
}

/// The decoder panics over JPEG files whose scans do not fit their frame (zune-jpeg 0.5.15). It is dropped then, with all
/// it had written, and nothing else saw it.
fn read_pixels(decoder: impl ImageDecoder) -> Result<DynamicImage, Error> {
    let decoded = catch_unwind(AssertUnwindSafe(|| DynamicImage::from_decoder(decoder)));
    let broken = |_| Error::Decode("the decoder broke down over it".to_owned());
    decoded.map_err(broken)?.map_err(decode_error)
}

/// Whether [`decode`] turns or mirrors this picture, because its EXIF tag says that it was stored otherwise than it was seen.
/// A file that cannot be read is not turned; what is wrong with it, [`decode`] says.
pub fn is_turned(file: &[u8]) -> bool {
    let orientation = open(file).ok().and_then(|mut decoder| decoder.orientation().ok());
    orientation.is_some_and(|orientation| orientation != Orientation::NoTransforms)
}

fn open(file: &[u8]) -> Result<impl ImageDecoder + '_, Error> {
    let Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) = image::guess_format(file) else {
        return Err(Error::UnknownFormat(file[..file.len().min(8)].to_vec()));
    };
    if format == ImageFormat::Jpeg {
        jpeg::check(file)?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut bounds = image::Limits::no_limits();
    bounds.max_alloc = Some(SCRATCH_BYTES);
    reader.limits(bounds);
    reader.into_decoder().map_err(decode_error)
}

fn to_rgb(picture: &DynamicImage) -> Result<Rgb8, Error> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let high = |sample: &u16| (sample >> 8) as u8;
    let data: Vec<u8> = match picture {
        DynamicImage::ImageRgb8(p) => p.as_raw().clone(),
        DynamicImage::ImageRgba8(p) => p.pixels().flat_map(|p| [p[0], p[1], p[2]]).collect(),
        DynamicImage::ImageLuma8(p) => p.pixels().flat_map(|p| [p[0]; 3]).collect(),
        DynamicImage::ImageLumaA8(p) => p.pixels().flat_map(|p| [p[0]; 3]).collect(),
        DynamicImage::ImageRgb16(p) => p.as_raw().iter().map(high).collect(),
        DynamicImage::ImageRgba16(p) => p
            .pixels()
            .flat_map(|p| [p[0], p[1], p[2]])
            .map(|s| high(&s))
            .collect(),
        DynamicImage::ImageLuma16(p) => p.pixels().flat_map(|p| [high(&p[0]); 3]).collect(),
        DynamicImage::ImageLumaA16(p) => p.pixels().flat_map(|p| [high(&p[0]); 3]).collect(),
        other => {
            return Err(Error::Decode(format!(
                "colour type {:?} is not supported",
                other.color()
            )));
        }
    };
    Rgb8::new(width, height, data)
}

fn decode_error(error: ImageError) -> Error {
    match error {
        ImageError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => Error::Truncated,
        other => Error::Decode(other.to_string()),
    }
}
