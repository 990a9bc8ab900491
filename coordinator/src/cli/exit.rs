//! How a command can end, and the exit code that scripts see.

use std::process::ExitCode;

use vico::ids::SweepId;
use vico::job::FailureClass;
use vico::protocol::{ClientError, RefusalKind};
use vico::store;

/// Why a command did not end well. Printed once, at the top: `error: …`, a blank line, `hint: …`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The manifest is wrong; the text is a finished report with a caret for every mistake.
    #[error("{0}")]
    Manifest(String),
    /// What was asked for cannot be: a file that is not there, an option that does not fit.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// The sweep ended with failed jobs.
    #[error("{sweep} ended with {failed} failed {}", if *failed == 1 { "job" } else { "jobs" })]
    JobsFailed {
        /// The sweep.
        sweep: SweepId,
        /// How many jobs failed.
        failed: u32,
    },
    /// The sweep was cancelled.
    #[error("{0} was cancelled")]
    Cancelled(SweepId),
    /// The sweep goes on, the waiting does not.
    #[error("{sweep} is still running after {waited}")]
    TimedOut {
        /// The sweep.
        sweep: SweepId,
        /// How long it was watched.
        waited: humantime::FormattedDuration,
    },
    /// Ctrl-C.
    #[error("interrupted; {0}")]
    Interrupted(&'static str),
    /// The coordinator said no, or nothing.
    #[error(transparent)]
    Coordinator(#[from] ClientError),
    /// A coordinator cannot be started here, or cannot go on.
    #[error(transparent)]
    Serving(vico_coord::Error),
    /// The bucket or an input does not work.
    #[error(transparent)]
    Storage(#[from] store::Error),
    /// Anything else, with its causes.
    #[error(transparent)]
    Unexpected(#[from] anyhow::Error),
}

impl Error {
    /// A usage error from its two halves.
    pub(crate) fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// What the engine says: a mistake of the user's, with a hint, or something unexpected.
    #[cfg(feature = "local")]
    pub(crate) fn refused(hint: &'static str) -> impl Fn(vico::job::Failure) -> Self {
        move |failure| match failure.class {
            FailureClass::InvalidInput | FailureClass::VersionMismatch => Self::usage(failure.message, hint),
            _ => Self::Unexpected(anyhow::anyhow!(failure.message)),
        }
    }

    /// The documented exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Manifest(_)
            | Self::Usage { .. }
            | Self::Serving(
                vico_coord::Error::Exposed { .. }
                | vico_coord::Error::Credentials { .. }
                | vico_coord::Error::Listen { .. },
            ) => 2,
            Self::JobsFailed { .. } => 3,
            Self::Cancelled(_) => 4,
            Self::TimedOut { .. } => 6,
            Self::Interrupted(_) => 130,
            Self::Coordinator(error) => exit_code_of(error),
            Self::Storage(error) if error.failure_class() == FailureClass::InvalidInput => 2,
            Self::Serving(_) | Self::Storage(_) | Self::Unexpected(_) => 1,
        })
    }

    /// What to do next, where there is something to say.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } => Some(hint.clone()),
            Self::JobsFailed { sweep, .. } => Some(format!(
                "`vico-coord describe {sweep}` says why; `vico-coord retry {sweep} --failed` tries again"
            )),
            Self::TimedOut { sweep, .. } => Some(format!("`vico-coord watch {sweep}` looks again")),
            Self::Coordinator(ClientError::Unreachable { .. } | ClientError::TimedOut { .. }) => Some(
                "start one with `vico-coord serve --bucket URL`, or name another with --coordinator"
                    .to_owned(),
            ),
            Self::Coordinator(ClientError::Refused(refusal)) if refusal.kind == RefusalKind::NotFound => {
                Some(
                    "`vico-coord ls` lists the sweeps, `vico-coord describe SWEEP` the jobs of one"
                        .to_owned(),
                )
            }
            Self::Coordinator(ClientError::Refused(refusal))
                if refusal.kind == RefusalKind::Unauthenticated =>
            {
                Some("set VICO_TOKEN, or name a file that holds the token with --token-file".to_owned())
            }
            Self::Serving(vico_coord::Error::Listen { .. }) => Some(
                "another coordinator may be running there; choose another address with --listen".to_owned(),
            ),
            Self::Storage(error) => error.hint().map(str::to_owned),
            Self::Manifest(_)
            | Self::Cancelled(_)
            | Self::Interrupted(_)
            | Self::Coordinator(_)
            | Self::Serving(_)
            | Self::Unexpected(_) => None,
        }
    }
}

impl From<vico_coord::Error> for Error {
    fn from(error: vico_coord::Error) -> Self {
        match error {
            vico_coord::Error::Store(error) => Self::Storage(error),
            other => Self::Serving(other),
        }
    }
}

fn exit_code_of(error: &ClientError) -> u8 {
    match error {
        ClientError::Unreachable { .. } | ClientError::TimedOut { .. } => 5,
        ClientError::Address { .. } | ClientError::Credentials { .. } => 2,
        ClientError::Foreign { .. } => 1,
        ClientError::Refused(refusal) => match refusal.kind {
            RefusalKind::Invalid
            | RefusalKind::NotFound
            | RefusalKind::Conflict
            | RefusalKind::Unauthenticated
            | RefusalKind::Forbidden => 2,
            RefusalKind::Unavailable => 5,
            RefusalKind::StaleLease | RefusalKind::UnknownSession | RefusalKind::Internal => 1,
        },
    }
}

/// What every command returns.
pub(crate) type Result<T = ()> = std::result::Result<T, Error>;
