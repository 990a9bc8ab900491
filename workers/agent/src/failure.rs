//! Errors of this package's own as failures of an attempt. What the engine reports is classified in `engine::candle`.

use std::error::Error;
use std::time::Duration;

use vico::job::{Failure, FailureClass};
use vico::store;

use crate::cache;

/// The bucket failed, in the class it gives itself.
#[expect(
    clippy::needless_pass_by_value,
    reason = "made for `map_err`, which gives the error away"
)]
pub(crate) fn of_store(error: store::Error) -> Failure {
    let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    Failure {
        class: error.failure_class(),
        message: with_causes(&error) + &hint,
    }
}

/// The cache failed: it is storage too, and another worker's may work.
#[expect(
    clippy::needless_pass_by_value,
    reason = "made for `map_err`, which gives the error away"
)]
pub(crate) fn of_cache(error: cache::Error) -> Failure {
    Failure {
        class: FailureClass::Storage,
        message: with_causes(&error),
    }
}

/// The inputs cannot work.
pub(crate) fn invalid(message: String) -> Failure {
    let class = FailureClass::InvalidInput;
    Failure { class, message }
}

/// The engine hangs.
pub(crate) fn timeout(patience: Duration) -> Failure {
    let patience = humantime::format_duration(patience);
    Failure {
        class: FailureClass::Timeout,
        message: format!("the engine gave no sign of life for {patience} (`vico-worker --patience`)"),
    }
}

/// This program is wrong.
pub(crate) fn internal(message: String) -> Failure {
    let class = FailureClass::Internal;
    Failure { class, message }
}

/// An error's message and those of its causes.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        // Some wrappers repeat what they wrap.
        if !text.ends_with(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}
