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

    /// The part of `width` x `height` pixels whose top left corner is at (`left`, `top`); `None` if it sticks out.
    #[must_use]
    pub fn crop(&self, left: usize, top: usize, width: usize, height: usize) -> Option<Self> {
        if left + width > self.width || top + height > self.height || width * height == 0 {
            return None;
        }
        let rows = self.data.chunks_exact(3 * self.width).skip(top).take(height);
        let data = rows
            .flat_map(|row| &row[3 * left..3 * (left + width)])
            .copied()
            .collect();
        Some(Self { width, height, data })
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
