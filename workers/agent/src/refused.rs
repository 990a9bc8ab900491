//! What a worker makes of the coordinator's no.

use vico::protocol::{ClientError, Refusal, RefusalKind};

/// The refusal in `error`, if this process will be refused as long as it lives: another took its name, or its token is
/// not a worker's. A token that nobody knows may be replaced, and what ails the coordinator may pass.
pub(crate) fn for_good(error: &ClientError) -> Option<&Refusal> {
    let refusal = refusal(error)?;
    let ours = matches!(refusal.kind, RefusalKind::Conflict | RefusalKind::Forbidden);
    ours.then_some(refusal)
}

/// The same of a registration. That one is wrong for good if its words are, which other requests may be for once: the
/// version they tell never changes.
pub(crate) fn registration_for_good(error: &ClientError) -> Option<&Refusal> {
    let invalid = refusal(error).filter(|refusal| refusal.kind == RefusalKind::Invalid);
    invalid.or_else(|| for_good(error))
}

/// Whether the token is refused.
pub(crate) fn is_unauthenticated(error: &ClientError) -> bool {
    refusal(error).is_some_and(|refusal| refusal.kind == RefusalKind::Unauthenticated)
}

/// Whether the worker must register first.
pub(crate) fn is_unknown_session(error: &ClientError) -> bool {
    refusal(error).is_some_and(|refusal| refusal.kind == RefusalKind::UnknownSession)
}

/// Whether the lease is no longer good.
pub(crate) fn is_stale(error: &ClientError) -> bool {
    refusal(error).is_some_and(|refusal| refusal.kind == RefusalKind::StaleLease)
}

/// What a worker ends with that is refused, for whoever must do something about it.
pub(crate) fn explained(refusal: &Refusal) -> String {
    let advice = match refusal.kind {
        RefusalKind::Conflict => "give every worker a name of its own (--name)",
        RefusalKind::Invalid => "start a worker of the coordinator's version in its place",
        RefusalKind::Forbidden | RefusalKind::Unauthenticated => "give it a token of the role `worker`",
        RefusalKind::NotFound
        | RefusalKind::StaleLease
        | RefusalKind::UnknownSession
        | RefusalKind::Unavailable
        | RefusalKind::Internal => "the coordinator's log may say more",
    };
    format!("the coordinator refuses this worker: {refusal}; {advice}")
}

/// An error of the first registration, with what to do where the coordinator said no.
pub(crate) fn at_the_door(error: ClientError) -> anyhow::Error {
    match error {
        ClientError::Refused(refusal) => anyhow::Error::msg(explained(&refusal)),
        other => other.into(),
    }
}

fn refusal(error: &ClientError) -> Option<&Refusal> {
    match error {
        ClientError::Refused(refusal) => Some(refusal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: RefusalKind) -> ClientError {
        Refusal::new(kind, "no").into()
    }

    #[test]
    fn only_what_no_waiting_helps_against_is_for_good() {
        for (kind, of_any, of_a_registration) in [
            (RefusalKind::Conflict, true, true),
            (RefusalKind::Forbidden, true, true),
            (RefusalKind::Invalid, false, true),
            (RefusalKind::Unauthenticated, false, false),
            (RefusalKind::UnknownSession, false, false),
            (RefusalKind::StaleLease, false, false),
            (RefusalKind::Unavailable, false, false),
            (RefusalKind::Internal, false, false),
        ] {
            let error = error(kind);
            assert_eq!(for_good(&error).is_some(), of_any, "{kind:?}");
            assert_eq!(
                registration_for_good(&error).is_some(),
                of_a_registration,
                "{kind:?}"
            );
        }
    }

    #[test]
    fn who_is_turned_away_learns_what_to_do() {
        let told = at_the_door(error(RefusalKind::Conflict)).to_string();
        assert_eq!(
            told,
            "the coordinator refuses this worker: no; give every worker a name of its own (--name)"
        );
    }
}
