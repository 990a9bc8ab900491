//! One segment: a header of fixed size, then frames.
//!
//! ```text
//! header  "VJ01" · epoch u64 · number u64 · frames u32 · writer (32 bytes digest, 64 bytes label) · CRC32C of all that
//! frame   length u32 · CRC32C of length and payload · payload
//! ```
//! Numbers are little endian. A segment without frames is a claim.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::super::objects::Objects;
use super::super::{Error, layout};
use crate::digest::Digest;

const MAGIC: &[u8; 4] = b"VJ01";
const LABEL: usize = 64;
/// Bytes of a header, and of a claim.
pub(super) const HEADER: usize = 4 + 8 + 8 + 4 + 32 + LABEL + 4;
const FRAME_HEADER: usize = 8;
/// Group commits stay far below it.
const MAX_SEGMENT: u64 = 1 << 30;

/// Who wrote a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Writer {
    id: Digest,
    /// The beginning of what it calls itself.
    pub(super) label: String,
}

impl Writer {
    pub(super) fn new(name: &str) -> Self {
        let mut end = name.len().min(LABEL);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            id: Digest::of(name.as_bytes()),
            label: name[..end].to_owned(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) epoch: u64,
    pub(super) number: u64,
    pub(super) frames: u32,
    pub(super) writer: Writer,
}

/// What could be read of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// `None` where not even the header is whole.
    pub(super) header: Option<Header>,
    pub(super) frames: Vec<Bytes>,
    /// Where the sound part ends, if something is missing or damaged after it.
    pub(super) torn_at: Option<usize>,
    /// Its bytes end too early: it was torn when it was written, and not damaged later.
    pub(super) is_cut_short: bool,
}

impl Segment {
    /// Only says that a new epoch begins.
    pub(super) fn is_claim(&self) -> bool {
        self.header.as_ref().is_some_and(|header| header.frames == 0)
    }
}

/// Fails where a frame is too large for its length field.
pub(super) fn encode(header: &Header, frames: &[Bytes]) -> Result<Bytes, Error> {
    let mut out =
        BytesMut::with_capacity(HEADER + frames.iter().map(|f| FRAME_HEADER + f.len()).sum::<usize>());
    out.put_slice(MAGIC);
    out.put_u64_le(header.epoch);
    out.put_u64_le(header.number);
    out.put_u32_le(header.frames);
    out.put_slice(header.writer.id.as_bytes());
    let label = header.writer.label.as_bytes();
    out.put_slice(label);
    out.put_bytes(0, LABEL - label.len());
    out.put_u32_le(crc32c::crc32c(&out));
    for frame in frames {
        let length = u32::try_from(frame.len()).map_err(|_| Error::TooLarge {
            key: layout::segment(header.number),
            size: frame.len() as u64,
            limit: u32::MAX.into(),
        })?;
        out.put_u32_le(length);
        out.put_u32_le(checksum(length, frame));
        out.put_slice(frame);
    }
    Ok(out.freeze())
}

/// Reads whatever is sound, up to the first byte that is not.
pub(super) fn decode(bytes: &Bytes) -> Segment {
    let Some(header) = decode_header(bytes) else {
        return Segment {
            header: None,
            frames: Vec::new(),
            torn_at: Some(0),
            is_cut_short: bytes.len() < HEADER,
        };
    };
    let mut frames = Vec::new();
    let mut at = HEADER;
    while let Some(frame) = decode_frame(bytes, at) {
        at += FRAME_HEADER + frame.len();
        frames.push(frame);
    }
    let whole = at == bytes.len() && frames.len() == header.frames as usize;
    Segment {
        header: Some(header),
        frames,
        torn_at: (!whole).then_some(at),
        is_cut_short: !whole && !reaches(bytes, at),
    }
}

/// Reads a segment of the bucket.
pub(super) async fn read(objects: &Objects, number: u64) -> Result<Segment, Error> {
    let key = layout::segment(number);
    let segment = decode(&objects.get(&key, MAX_SEGMENT).await?);
    match &segment.header {
        Some(header) if header.number != number => Err(Error::corrupt(
            &key,
            format!("it holds the number {}", header.number),
        )),
        _ => Ok(segment),
    }
}

fn decode_header(bytes: &Bytes) -> Option<Header> {
    let (covered, sum) = bytes.get(..HEADER)?.split_at(HEADER - 4);
    if !covered.starts_with(MAGIC) || crc32c::crc32c(covered).to_le_bytes() != sum {
        return None;
    }
    let mut rest = &covered[MAGIC.len()..];
    let (epoch, number, frames) = (rest.get_u64_le(), rest.get_u64_le(), rest.get_u32_le());
    let mut id = [0; 32];
    rest.copy_to_slice(&mut id);
    let label = rest.split(|byte| *byte == 0).next()?;
    Some(Header {
        epoch,
        number,
        frames,
        writer: Writer {
            id: Digest::from_bytes(id),
            label: String::from_utf8_lossy(label).into_owned(),
        },
    })
}

fn decode_frame(bytes: &Bytes, at: usize) -> Option<Bytes> {
    let mut head = bytes.get(at..at + FRAME_HEADER)?;
    let (length, sum) = (head.get_u32_le(), head.get_u32_le());
    let start = at + FRAME_HEADER;
    let payload = bytes.get(start..start.checked_add(length as usize)?)?;
    // The length is part of the sum, or a run of zeros would read as empty frames.
    (checksum(length, payload) == sum).then(|| bytes.slice_ref(payload))
}

/// Whether the bytes go on to the end of the frame at `at`.
fn reaches(bytes: &Bytes, at: usize) -> bool {
    let length = bytes
        .get(at..at + 4)
        .map_or(0, |mut head| head.get_u32_le() as usize);
    let end = (at + FRAME_HEADER).checked_add(length);
    end.is_some_and(|end| end <= bytes.len())
}

fn checksum(length: u32, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length.to_le_bytes()), payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(frames: &[Bytes]) -> Bytes {
        let header = Header {
            epoch: 3,
            number: 17,
            frames: frames.len() as u32,
            writer: Writer::new("a coordinator with quite a long name, longer than sixty-four bytes: ü"),
        };
        encode(&header, frames).expect("small frames")
    }

    fn frames() -> impl Strategy<Value = Vec<Bytes>> {
        let frame = prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
        prop::collection::vec(frame, 1..6)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(frames in frames()) {
            let read = decode(&segment(&frames));
            prop_assert_eq!(read.torn_at, None);
            prop_assert_eq!(read.frames, frames);
        }

        #[test]
        fn cut_anywhere_the_frames_before_the_cut_remain(frames in frames()) {
            let whole = segment(&frames);
            for cut in 0..whole.len() {
                let read = decode(&whole.slice(..cut));
                prop_assert!(read.torn_at.is_some(), "a cut at {} went unnoticed", cut);
                prop_assert!(frames.starts_with(&read.frames));
                let kept: usize = read.frames.iter().map(|f| FRAME_HEADER + f.len()).sum();
                prop_assert!(read.header.is_none() || HEADER + kept <= cut);
            }
        }

        #[test]
        fn a_changed_byte_is_noticed(frames in frames(), at in any::<prop::sample::Index>(), by in 1..=255u8) {
            let mut bytes = segment(&frames).to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            let read = decode(&Bytes::from(bytes));
            prop_assert!(read.torn_at.is_some());
            prop_assert!(frames.starts_with(&read.frames));
        }

        #[test]
        fn no_bytes_can_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            decode(&Bytes::from(bytes));
        }
    }

    #[test]
    fn zeros_after_a_header_are_no_frames() {
        let mut bytes = segment(&[Bytes::from_static(b"one")]).slice(..HEADER).to_vec();
        bytes.extend([0; 64]);
        assert_eq!(decode(&Bytes::from(bytes)).torn_at, Some(HEADER));
    }
}
