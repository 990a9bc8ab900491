//! Bytes of the journal: events and snapshots as versioned JSON. Reading is all or nothing.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Event;
use super::state::Snapshot;

/// Raised whenever an older program could misread what this one writes.
pub(crate) const VERSION: u32 = 1;

/// A journal that this program cannot read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    /// Written by another version of the program.
    #[error("the journal's {what} have format {found}; this program reads format {VERSION}")]
    Version {
        /// `events` or `snapshot`.
        what: &'static str,
        /// What the bytes say.
        found: u32,
    },
    /// Not what was written.
    #[error("the journal's {what} cannot be read")]
    Malformed {
        /// `events` or `snapshot`.
        what: &'static str,
        /// What the parser says.
        source: serde_json::Error,
    },
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    body: T,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

/// One group of events as one frame.
pub(crate) fn encode_events(events: &[Event]) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Versioned {
        version: VERSION,
        body: events,
    })
}

/// The events of one frame.
pub(crate) fn decode_events(bytes: &[u8]) -> Result<Vec<Event>, FormatError> {
    decode("events", bytes)
}

/// The whole state.
pub(crate) fn encode_snapshot(snapshot: &Snapshot) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Versioned {
        version: VERSION,
        body: snapshot,
    })
}

/// The state that [`encode_snapshot`] wrote.
pub(crate) fn decode_snapshot(bytes: &[u8]) -> Result<Snapshot, FormatError> {
    decode("snapshot", bytes)
}

fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, FormatError> {
    let malformed = |source| FormatError::Malformed { what, source };
    // The version first: the body of another version need not parse.
    let VersionOnly { version: found } = serde_json::from_slice(bytes).map_err(malformed)?;
    if found != VERSION {
        return Err(FormatError::Version { what, found });
    }
    let read: Versioned<T> = serde_json::from_slice(bytes).map_err(malformed)?;
    Ok(read.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_named_before_its_body_is_read() {
        let error = decode_events(br#"{"version": 9, "body": "who knows"}"#).map_err(|e| e.to_string());
        let expected = "the journal's events have format 9; this program reads format 1";
        assert_eq!(error, Err(expected.to_owned()));
    }

    #[test]
    fn garbage_is_an_error() {
        for garbage in [
            &b""[..],
            b"\0\0\0",
            b"[]",
            br#"{"version": 1, "body": [{"no_such": {}}]}"#,
        ] {
            assert!(decode_events(garbage).is_err());
        }
    }
}
