//! Bugs to be switched on by tests, one at a time and in one thread: whoever looks for bugs must find these.

use std::cell::Cell;

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// A coordinator that was overtaken takes the journal for its own again.
    ForgetFencing,
    /// A receipt counts although the job is done.
    CommitTwice,
    /// Answers leave before what they tell is durable.
    AnswerBeforeDurable,
    /// A job is not woken when what it waits for is done.
    LoseWakeUp,
    /// Failures are not counted.
    MiscountAttempts,
    /// A snapshot of what is not in the journal yet is said to be of what is.
    SnapshotTooEarly,
    /// Leases do not run out.
    KeepDeadLeases,
}

thread_local! {
    static ACTIVE: Cell<Option<Sabotage>> = const { Cell::new(None) };
}

/// Whether this bug is switched on.
pub(crate) fn is(sabotage: Sabotage) -> bool {
    ACTIVE.get() == Some(sabotage)
}

/// Switches a bug on while `deed` runs.
pub(crate) fn with<T>(sabotage: Sabotage, deed: impl FnOnce() -> T) -> T {
    ACTIVE.set(Some(sabotage));
    let outcome = deed();
    ACTIVE.set(None);
    outcome
}
