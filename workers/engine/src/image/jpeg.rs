//! A walk over a JPEG file's markers, for what the decoder does not tell: is the file complete, is it CMYK.

use super::Error;

const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;

/// Checks that the file reaches its end marker and has at most three components.
///
/// The decoder fills the missing part of a truncated file with grey and says nothing (Pillow refuses it).
pub(super) fn check(file: &[u8]) -> Result<(), Error> {
    let mut at = 2; // behind the start-of-image marker
    loop {
        at = next_marker(file, at).ok_or(Error::Truncated)?;
        let marker = file[at + 1];
        if marker == END_OF_IMAGE {
            return Ok(());
        }
        let length = file.get(at + 2..at + 4).ok_or(Error::Truncated)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let segment = file.get(at + 4..at + 2 + length.max(2)).ok_or(Error::Truncated)?;
        if is_frame_header(marker) && segment.get(5).is_some_and(|components| *components > 3) {
            return Err(Error::Cmyk);
        }
        at += 2 + length.max(2);
        if marker == START_OF_SCAN {
            at = end_of_scan(file, at).ok_or(Error::Truncated)?;
        }
    }
}

/// The next marker at or after `at`, fill bytes skipped.
fn next_marker(file: &[u8], at: usize) -> Option<usize> {
    let rest = file.get(at..)?;
    let found = rest
        .windows(2)
        .position(|pair| pair[0] == 0xff && pair[1] != 0 && pair[1] != 0xff)?;
    Some(at + found)
}

/// Where the entropy-coded data ends: at the first marker that is not a restart.
fn end_of_scan(file: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = next_marker(file, at)?;
        if !(0xd0..=0xd7).contains(&file[at + 1]) {
            return Some(at);
        }
        at += 2;
    }
}

/// Start of frame of any coding process; C4, C8 and CC are other segments in the same range.
fn is_frame_header(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}
