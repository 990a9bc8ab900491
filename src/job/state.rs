//! The states of a job, as people see them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a job stands. Only the coordinator moves it; workers ask.
///
/// ```text
///             upstream done           acquire                complete, with a live lease
///  Blocked ─────────────────► Ready ◄─────────► Leased ────────────────────────────────► Succeeded
///     │                         ▲    expiry · release ·  │
///     │ upstream failed         │    failure worth a try  │ failure beyond help, or attempts spent
///     ▼                         │ retry                  ▼
///  Aborted ─────────────────────┴───────────────────── Failed
///
///  From any state without an end: Cancelled, which a retry makes Ready or Blocked again.
///  A job whose receipt is found is Succeeded at once.
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for upstream jobs.
    Blocked,
    /// Could run now, or when its back-off is over.
    Ready,
    /// A worker holds it, or two do.
    Leased,
    /// Its receipt exists.
    Succeeded,
    /// No attempt can help, or none is left.
    Failed,
    /// An upstream job failed, so this one never ran.
    Aborted,
    /// A user asked for it.
    Cancelled,
}

impl JobState {
    /// All states.
    pub const ALL: [Self; 7] = [
        Self::Blocked,
        Self::Ready,
        Self::Leased,
        Self::Succeeded,
        Self::Failed,
        Self::Aborted,
        Self::Cancelled,
    ];

    /// Whether nothing more will happen unless a user asks.
    pub fn has_ended(self) -> bool {
        match self {
            Self::Blocked | Self::Ready | Self::Leased => false,
            Self::Succeeded | Self::Failed | Self::Aborted | Self::Cancelled => true,
        }
    }

    /// The word used in files, messages and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
