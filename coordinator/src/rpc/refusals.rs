//! The brain's refusals, and the bucket's errors, in the words of the protocol.

use vico::protocol::{self, RefusalKind};
use vico::store;

use crate::core::Refusal;

impl From<Refusal> for protocol::Refusal {
    fn from(refusal: Refusal) -> Self {
        let kind = match &refusal {
            Refusal::UnknownSweep(_) | Refusal::UnknownJob(_) | Refusal::UnknownWorker(_) => {
                RefusalKind::NotFound
            }
            Refusal::ShortPrefix(_)
            | Refusal::AmbiguousJob { .. }
            | Refusal::NoSlots(_)
            | Refusal::OtherVersion { .. }
            | Refusal::OpenPlan { .. }
            | Refusal::BackwardPlan { .. }
            | Refusal::EmptyPlan(_) => RefusalKind::Invalid,
            Refusal::UnknownSession(_) => RefusalKind::UnknownSession,
            Refusal::StaleLease { .. } => RefusalKind::StaleLease,
            // Whoever asks again learns it.
            Refusal::BeingCommitted { .. } => RefusalKind::Unavailable,
            Refusal::Superseded(_)
            | Refusal::AlreadyEnded { .. }
            | Refusal::NothingToRetry(_)
            | Refusal::CancelledSweep(_) => RefusalKind::Conflict,
        };
        Self::new(kind, refusal.to_string())
    }
}

/// Why the coordinator's own bucket could not be used. Workers ask again and again as long as something can pass, so what
/// cannot has to be told apart.
#[expect(clippy::needless_pass_by_value, reason = "it is made for map_err")]
pub(crate) fn of_bucket(error: store::Error) -> protocol::Refusal {
    let kind = if error.can_pass() {
        RefusalKind::Unavailable
    } else {
        RefusalKind::Internal
    };
    protocol::Refusal::new(kind, error.in_full())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_pass_is_worth_asking_again() {
        let key = || "jobs/ab/receipt.json".to_owned();
        let down = store::Error::Unavailable {
            key: key(),
            source: "503 Slow Down".into(),
        };
        let down = of_bucket(down);
        assert_eq!(down.kind, RefusalKind::Unavailable);
        assert!(down.message.contains("503 Slow Down"), "{down}");
        let full = store::Error::DiskFull {
            key: key(),
            source: "507 Insufficient Storage".into(),
        };
        assert_eq!(of_bucket(full).kind, RefusalKind::Unavailable);
        let damaged = store::Error::Corrupt {
            key: key(),
            reason: "EOF while parsing".to_owned(),
        };
        assert_eq!(of_bucket(damaged).kind, RefusalKind::Internal);
        let gone = store::Error::NotFound { what: key() };
        assert_eq!(of_bucket(gone).kind, RefusalKind::Internal);
    }
}
