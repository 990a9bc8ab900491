//! The one picture type of the engine.

use std::fmt;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::Error;

/// Longest side a picture may have; JPEG's own bound.
const MAX_SIDE: usize = 65_535;

/// An 8-bit RGB picture, row by row from the top left.
#[derive(Clone, PartialEq, Eq)]
pub struct Rgb8 {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Rgb8 {
    /// Wraps `3 * width * height` bytes.
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Result<Self, Error> {
        let allowed = 1..=MAX_SIDE;
        if !allowed.contains(&width) || !allowed.contains(&height) || data.len() != 3 * width * height {
            return Err(Error::Size {
                width,
                height,
                bytes: data.len(),
                allowed,
            });
        }
        Ok(Self { width, height, data })
    }

    /// What a resampling pass has filled; sides may be longer than a file may have.
    pub(super) fn of_pass(width: usize, height: usize, data: Vec<u8>) -> Self {
        debug_assert_eq!(data.len(), 3 * width * height);
        Self { width, height, data }
    }

    /// Pixels per row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The bytes, row by row, red green blue.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The bytes, by value.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// The picture as a PNG file: lossless, and the same bytes for the same pixels.
    pub fn to_png(&self) -> Result<Vec<u8>, Error> {
        let mut file = Vec::new();
        let encoder = PngEncoder::new_with_quality(&mut file, CompressionType::Default, FilterType::Adaptive);
        encoder
            .write_image(
                &self.data,
                self.width as u32,
                self.height as u32,
                ExtendedColorType::Rgb8,
            )
            .map_err(|error| Error::Decode(error.to_string()))?;
        Ok(file)
    }
}

impl fmt::Debug for Rgb8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rgb8({}x{})", self.width, self.height)
    }
}
