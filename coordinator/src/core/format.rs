//! Bytes of the journal: a version, then events or a snapshot. Reading is all or nothing.
//!
//! The encoding is [postcard](https://postcard.jamesmunns.com/wire-format): a job of a large sweep takes 75 bytes in it, and
//! a million of them are read in a fraction of a second. It names no fields, so that any change of what is written is
//! another version. A kind of event that is added behind all others is none: older journals do not have it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Event;
use super::state::Snapshot;

/// Raised whenever what is written changes its form.
pub(crate) const VERSION: u32 = 4;
/// The first version was JSON.
const FIRST_VERSION_BEGINS_WITH: u8 = b'{';

/// A journal that this program cannot read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    /// Written by another version of the program.
    #[error(
        "the journal's {what} have format {found}; this program reads format {VERSION}: finish with the program that \
         wrote them, or name another bucket"
    )]
    Version {
        /// `events` or `snapshot`.
        what: &'static str,
        /// What the bytes say.
        found: u32,
    },
    /// Not what was written.
    #[error(
        "the journal's {what} cannot be read: they are damaged, or a newer version of the program wrote them"
    )]
    Malformed {
        /// `events` or `snapshot`.
        what: &'static str,
        /// What the parser says.
        source: postcard::Error,
    },
}

/// One group of events as one frame.
pub(crate) fn encode_events(events: &[Event]) -> Result<Vec<u8>, postcard::Error> {
    encode(events)
}

/// The events of one frame.
pub(crate) fn decode_events(bytes: &[u8]) -> Result<Vec<Event>, FormatError> {
    decode("events", bytes)
}

/// The whole state.
pub(crate) fn encode_snapshot(snapshot: &Snapshot) -> Result<Vec<u8>, postcard::Error> {
    encode(snapshot)
}

/// The state that [`encode_snapshot`] wrote.
pub(crate) fn decode_snapshot(bytes: &[u8]) -> Result<Snapshot<'static>, FormatError> {
    decode("snapshot", bytes)
}

fn encode<T: Serialize + ?Sized>(body: &T) -> Result<Vec<u8>, postcard::Error> {
    let bytes = postcard::to_allocvec(&VERSION)?;
    postcard::to_extend(body, bytes)
}

fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, FormatError> {
    let malformed = |source| FormatError::Malformed { what, source };
    if bytes.first() == Some(&FIRST_VERSION_BEGINS_WITH) {
        return Err(FormatError::Version { what, found: 1 });
    }
    // The version first: the body of another version need not parse.
    let (found, body) = postcard::take_from_bytes(bytes).map_err(malformed)?;
    if found != VERSION {
        return Err(FormatError::Version { what, found });
    }
    let (read, rest) = postcard::take_from_bytes(body).map_err(malformed)?;
    if rest.is_empty() {
        return Ok(read);
    }
    Err(malformed(postcard::Error::DeserializeBadEncoding))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use vico::clock::Timestamp;

    use super::*;

    #[test]
    fn another_version_is_named_before_its_body_is_read() {
        let expected = |found| {
            format!(
                "the journal's events have format {found}; this program reads format 4: finish with the program that \
                 wrote them, or name another bucket"
            )
        };
        for (bytes, found) in [(&b"\x09who knows"[..], 9), (br#"{"version": 1, "body": []}"#, 1)] {
            let error = decode_events(bytes).map_err(|error| error.to_string());
            assert_eq!(error, Err(expected(found)));
        }
    }

    /// Journals tell of them by number.
    #[test]
    fn kinds_of_events_keep_their_places() {
        let published = Event::SweepPublished {
            sweep: "s".parse().unwrap(),
        };
        let reprofiled = Event::JobsReprofiled {
            sweep: "s".parse().unwrap(),
            profiles: Vec::new(),
            jobs: Vec::new(),
            at: Timestamp(7),
        };
        let told = decode_events(b"\x04\x02\x0b\x01s\x0d\x01s\x00\x00\x07");
        assert_eq!(told.unwrap(), [published, reprofiled]);
    }

    #[test]
    fn garbage_is_an_error() {
        for garbage in [
            &b""[..],
            b"\x04",
            b"\x04\x01\x63",
            b"\x04\xff\xff\xff\xff\x0f",
            b"\x04\x00\x00",
        ] {
            assert!(decode_events(garbage).is_err(), "{garbage:?}");
        }
    }
}
