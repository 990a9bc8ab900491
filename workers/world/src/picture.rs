//! Pictures and masks of the world's one size, and their PNG files.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use crate::background::SIDE;

/// Bytes of a picture.
pub const BYTES: usize = SIDE * SIDE * 3;

/// A picture could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be opened or made.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not the PNG that was expected.
    #[error("{}: {reason}", path.display())]
    Png {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A picture of 64 x 64 pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture(Vec<u8>);

/// Which pixels of a picture belong to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask(Vec<bool>);

impl Picture {
    /// Asks for the colour of every pixel (x, y).
    pub fn from_fn(colour: impl Fn(usize, usize) -> [u8; 3]) -> Self {
        Self(
            (0..SIDE * SIDE)
                .flat_map(|i| colour(i % SIDE, i / SIDE))
                .collect(),
        )
    }

    /// From rows of interleaved bytes; `None` if there are not 64 x 64 x 3.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == BYTES).then(|| Self(bytes.to_vec()))
    }

    /// Rows of interleaved bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The colour of a pixel.
    pub fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let start = (y * SIDE + x) * 3;
        [self.0[start], self.0[start + 1], self.0[start + 2]]
    }

    /// Reads a PNG of 8-bit RGB.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Png {
            path: path.to_owned(),
            reason,
        };
        let file = File::open(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        let decoder = png::Decoder::new(BufReader::new(file));
        let mut reader = decoder.read_info().map_err(|error| wrong(error.to_string()))?;
        let info = reader.info();
        let expected = (
            SIDE as u32,
            SIDE as u32,
            png::ColorType::Rgb,
            png::BitDepth::Eight,
        );
        if (info.width, info.height, info.color_type, info.bit_depth) != expected {
            return Err(wrong(format!(
                "not a picture of {SIDE}x{SIDE} pixels of 8-bit RGB"
            )));
        }
        let mut bytes = vec![0; BYTES];
        reader
            .next_frame(&mut bytes)
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Self(bytes))
    }

    /// Writes a PNG of 8-bit RGB.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        write_png(path, png::ColorType::Rgb, &self.0)
    }
}

impl Mask {
    /// Asks every pixel (x, y).
    pub fn from_fn(belongs: impl Fn(usize, usize) -> bool) -> Self {
        Self((0..SIDE * SIDE).map(|i| belongs(i % SIDE, i / SIDE)).collect())
    }

    /// Whether a pixel belongs.
    pub fn at(&self, x: usize, y: usize) -> bool {
        self.0[y * SIDE + x]
    }

    /// The pixels (x, y) that belong.
    pub fn pixels(&self) -> impl Iterator<Item = (usize, usize)> {
        let belonging = self.0.iter().enumerate().filter(|(_, belongs)| **belongs);
        belonging.map(|(i, _)| (i % SIDE, i / SIDE))
    }

    /// Writes a grey PNG, 255 where pixels belong.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let bytes: Vec<u8> = self.0.iter().map(|belongs| u8::from(*belongs) * 255).collect();
        write_png(path, png::ColorType::Grayscale, &bytes)
    }
}

fn write_png(path: &Path, colour: png::ColorType, bytes: &[u8]) -> Result<(), Error> {
    let file = File::create(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), SIDE as u32, SIDE as u32);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(bytes));
    written.map_err(|error| Error::Png {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}
