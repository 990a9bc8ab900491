//! What can go wrong between a client and the coordinator.

use tonic::{Code, Status};

use crate::protocol::{InvalidMessage, Refusal};

/// Sorted by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address cannot be one.
    #[error("`{url}` is not the address of a coordinator")]
    Address {
        /// As given.
        url: String,
        /// What the parser says.
        source: tonic::transport::Error,
    },
    /// The files or the token that should open the door are of no use.
    #[error("credentials for the coordinator cannot be used: {reason}")]
    Credentials {
        /// What is wrong with them.
        reason: String,
    },
    /// Nobody answers there, or the connection broke; try again.
    #[error("the coordinator at {url} cannot be reached: {reason}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What the transport says.
        reason: String,
    },
    /// The coordinator did not answer in time; try again.
    #[error("the coordinator at {url} did not answer in time")]
    TimedOut {
        /// Where it is.
        url: String,
    },
    /// The coordinator said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Somebody answers, but not as a coordinator of this version would.
    #[error("the answer from {url} makes no sense: {reason}")]
    Foreign {
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ClientError {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Refused(refusal) => refusal.kind == crate::protocol::RefusalKind::Unavailable,
            Self::Address { .. } | Self::Credentials { .. } | Self::Foreign { .. } => false,
        }
    }

    pub(super) fn of_status(url: &str, status: &Status) -> Self {
        if let Some(refusal) = Refusal::from_status(status) {
            return Self::Refused(refusal);
        }
        let url = url.to_owned();
        match status.code() {
            Code::DeadlineExceeded | Code::Cancelled => Self::TimedOut { url },
            // What a broken connection looks like, depending on when it broke.
            Code::Unavailable | Code::Unknown | Code::Internal => Self::Unreachable {
                url,
                reason: root_cause(status),
            },
            code => Self::Foreign {
                url,
                reason: format!("{code}: {}", status.message()),
            },
        }
    }

    pub(super) fn of_reply(url: &str, invalid: &InvalidMessage) -> Self {
        Self::Foreign {
            url: url.to_owned(),
            reason: invalid.to_string(),
        }
    }
}

/// The innermost message; the outer ones only say "transport error".
fn root_cause(status: &Status) -> String {
    let mut cause: &dyn std::error::Error = status;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::ptr::addr_eq(cause, status) {
        status.message().to_owned()
    } else {
        cause.to_string()
    }
}
