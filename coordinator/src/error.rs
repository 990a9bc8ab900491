//! Why a coordinator cannot start or go on.

use std::net::SocketAddr;

use vico::store;

use crate::core::check::Violation;
use crate::core::format::FormatError;

/// The coordinator stops.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Others could reach it, and it cannot tell friend from foe.
    #[error(
        "refusing to listen on {listen}: other machines could reach it, and {missing}; give --tls-cert, --tls-key and \
         --tokens, listen on a loopback address, or say --insecure inside a network you trust"
    )]
    Exposed {
        /// The address.
        listen: SocketAddr,
        /// What there should be.
        missing: &'static str,
    },
    /// Certificates, keys or tokens are of no use.
    #[error("credentials cannot be used: {reason}")]
    Credentials {
        /// Which, and what is wrong with them.
        reason: String,
    },
    /// The address is taken or not ours.
    #[error("cannot listen on {listen}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The connections broke down as a whole.
    #[error("the gRPC server failed")]
    Serve(#[source] tonic::transport::Error),
    /// The port for probes and metrics broke down.
    #[error("probes and metrics cannot be served")]
    Probes(#[source] std::io::Error),
    /// The dashboard's port broke down.
    #[error("the dashboard cannot be served")]
    Dashboard(#[source] std::io::Error),
    /// The bucket cannot be used, or another coordinator has taken it over.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The journal holds what this program cannot read.
    #[error("the journal in the bucket cannot be used: {reason}")]
    Journal {
        /// What is wrong with it.
        reason: String,
        /// The details.
        source: Option<postcard::Error>,
    },
    /// A task of ours panicked.
    #[error("a task of the coordinator ended unexpectedly: {task}")]
    Task {
        /// Which.
        task: &'static str,
    },
}

impl From<FormatError> for Error {
    fn from(error: FormatError) -> Self {
        let reason = error.to_string();
        let source = match error {
            FormatError::Version { .. } => None,
            FormatError::Malformed { source, .. } => Some(source),
        };
        Self::Journal { reason, source }
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Journal {
            reason: violation.to_string(),
            source: None,
        }
    }
}

impl Error {
    /// Events or a state that cannot go into the journal.
    pub(crate) fn unwritable(source: postcard::Error) -> Self {
        Self::Journal {
            reason: "the journal has no form for these events".to_owned(),
            source: Some(source),
        }
    }
}
