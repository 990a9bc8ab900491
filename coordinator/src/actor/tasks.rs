//! Work beside the actor, which waits for its end.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;

/// What `work` makes, or `None` where it panics: leases and sweeps must not hang on a task that is no more.
pub(super) fn survived<T>(work: impl Future<Output = T>) -> impl Future<Output = Option<T>> {
    AssertUnwindSafe(work).catch_unwind().map(Result::ok)
}
