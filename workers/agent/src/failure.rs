//! Errors of this package's own as failures of an attempt. What the engine reports is classified in `engine::candle`.

use std::time::Duration;

use vico::causes::with_causes;
use vico::job::{Failure, FailureClass};
use vico::store;

use crate::cache;

/// The bucket failed, in the class it gives itself.
#[expect(
    clippy::needless_pass_by_value,
    reason = "made for `map_err`, which gives the error away"
)]
pub(crate) fn of_store(error: store::Error) -> Failure {
    Failure {
        class: error.failure_class(),
        message: error.in_full(),
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
