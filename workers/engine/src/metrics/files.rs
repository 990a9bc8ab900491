//! What pictures are kept in, for signatures: a JPEG has lost a little of its picture before anybody scores it.

/// What every JPEG file begins with.
const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];

/// The format of some picture files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// All lossless, as a sweep keeps its images.
    Png,
    /// All lossy.
    Jpeg,
    /// Some of each.
    Mixed,
}

impl FileFormat {
    /// The format of all these files, by their content and not by their names.
    pub fn of<'a>(files: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let (mut png, mut jpeg) = (false, false);
        for file in files {
            if file.starts_with(&JPEG) {
                jpeg = true;
            } else {
                png = true;
            }
        }
        match (png, jpeg) {
            (_, false) => Self::Png,
            (false, true) => Self::Jpeg,
            (true, true) => Self::Mixed,
        }
    }

    /// The name in signatures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Mixed => "mixed",
        }
    }
}
