//! What the coordinator says when it says no, and how that travels as a gRPC status.

use tonic::{Code, Status};

use super::convert::InvalidMessage;

/// Status messages travel in a header, whose size peers limit.
const MAX_MESSAGE_CHARS: usize = 1500;
const KIND_HEADER: &str = "vico-refusal";

/// The coordinator said no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What the caller should make of it.
    pub kind: RefusalKind,
    /// What was refused and why, for people.
    pub message: String,
}

/// What a caller does about a [`Refusal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The request is wrong and will stay wrong: a manifest with mistakes, a malformed id.
    Invalid,
    /// There is no such sweep, job or worker.
    NotFound,
    /// The request does not fit the present state: cancelling what has ended, say.
    Conflict,
    /// The lease is no longer good: stop the attempt.
    StaleLease,
    /// The worker is not known under this session: register again.
    UnknownSession,
    /// No token, or one that nobody knows.
    Unauthenticated,
    /// The token's role may not do this.
    Forbidden,
    /// The coordinator is shutting down, was fenced, cannot reach its bucket, or does not know yet: try again later.
    Unavailable,
    /// A bug in the coordinator.
    Internal,
}

impl RefusalKind {
    const ALL: [Self; 9] = [
        Self::Invalid,
        Self::NotFound,
        Self::Conflict,
        Self::StaleLease,
        Self::UnknownSession,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::Unavailable,
        Self::Internal,
    ];

    fn code(self) -> Code {
        match self {
            Self::Invalid => Code::InvalidArgument,
            Self::NotFound => Code::NotFound,
            Self::Conflict | Self::StaleLease => Code::FailedPrecondition,
            Self::UnknownSession | Self::Unauthenticated => Code::Unauthenticated,
            Self::Forbidden => Code::PermissionDenied,
            Self::Unavailable => Code::Unavailable,
            Self::Internal => Code::Internal,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::StaleLease => "stale_lease",
            Self::UnknownSession => "unknown_session",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl Refusal {
    /// A refusal of some kind.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// Reads the refusal in a status; `None` for statuses that no coordinator made (a broken connection, a proxy).
    pub(super) fn from_status(status: &Status) -> Option<Self> {
        let word = status.metadata().get(KIND_HEADER)?.to_str().ok()?;
        let kind = RefusalKind::ALL.into_iter().find(|kind| kind.word() == word)?;
        Some(Self::new(kind, status.message()))
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let mut status = Self::new(refusal.kind.code(), shortened(refusal.message));
        let word = tonic::metadata::MetadataValue::from_static(refusal.kind.word());
        status.metadata_mut().insert(KIND_HEADER, word);
        status
    }
}

impl From<InvalidMessage> for Refusal {
    fn from(invalid: InvalidMessage) -> Self {
        Self::new(RefusalKind::Invalid, invalid.to_string())
    }
}

fn shortened(message: String) -> String {
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{} …", &message[..end]),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_wire() {
        for kind in RefusalKind::ALL {
            let refusal = Refusal::new(kind, "lease 7 expired\nat noon");
            let status = Status::from(refusal.clone());
            assert_eq!(Refusal::from_status(&status), Some(refusal));
        }
    }

    #[test]
    fn a_foreign_status_is_no_refusal() {
        assert_eq!(
            Refusal::from_status(&Status::unavailable("connection reset")),
            None
        );
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let status = Status::from(Refusal::new(RefusalKind::Invalid, "ü".repeat(5000)));
        assert_eq!(status.message().chars().count(), MAX_MESSAGE_CHARS + 2);
    }
}
