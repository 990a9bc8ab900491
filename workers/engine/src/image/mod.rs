//! Pixels in and out: bounded decoding, Pillow's resampling bit for bit, and the step to and from tensors.

mod decode;
mod jpeg;
pub mod resample;
mod rgb;
mod tensor;

use std::ops::RangeInclusive;

pub use decode::{Exif, Limits, decode, decode_with, is_turned};
pub use rgb::Rgb8;
pub(crate) use tensor::planes;
pub use tensor::{from_tensor, to_unit_range};

/// A picture could not be read, or cannot become a picture.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The content is neither PNG nor JPEG, whatever the file is called.
    #[error("neither a PNG nor a JPEG picture (first bytes: {0:02x?})")]
    UnknownFormat(Vec<u8>),
    /// More bytes than allowed.
    #[error("picture file of {found} bytes, the limit is {limit}")]
    TooManyBytes {
        /// Bytes given.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// More pixels than allowed, by the header; nothing was decoded.
    #[error("picture of {width}x{height} pixels, the limit is {limit} pixels")]
    TooManyPixels {
        /// Width in the header.
        width: u32,
        /// Height in the header.
        height: u32,
        /// Pixels allowed.
        limit: u64,
    },
    /// The file ends before the picture does.
    #[error("picture is truncated")]
    Truncated,
    /// Four-channel JPEG: its colours depend on a profile this engine does not apply.
    #[error("CMYK JPEG is not supported, convert it to RGB first")]
    Cmyk,
    /// The decoder gave up.
    #[error("cannot decode picture: {0}")]
    Decode(String),
    /// A tensor is not (3, h, w) or not finite.
    #[error("cannot make a picture of a tensor {0}")]
    Tensor(String),
    /// Number of bytes and size do not fit, or a side is not in range.
    #[error("picture of {width}x{height} with {bytes} bytes, each side must be in {allowed:?}")]
    Size {
        /// Width asked for.
        width: usize,
        /// Height asked for.
        height: usize,
        /// Bytes given.
        bytes: usize,
        /// Allowed length of a side.
        allowed: RangeInclusive<usize>,
    },
}
