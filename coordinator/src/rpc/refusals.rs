//! The brain's refusals in the words of the protocol.

use vico::protocol::{self, RefusalKind};

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
            Refusal::Superseded(_)
            | Refusal::AlreadyEnded { .. }
            | Refusal::NothingToRetry(_)
            | Refusal::CancelledSweep(_) => RefusalKind::Conflict,
        };
        Self::new(kind, refusal.to_string())
    }
}
