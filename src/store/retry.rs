//! Trying again what may pass.

use std::future::Future;
use std::time::Duration;

use super::Error;

/// Attempts in all, on top of the retries that the client makes by itself for what it knows to be repeatable.
const ATTEMPTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Runs `attempt` until it succeeds, fails for good, or has failed [`ATTEMPTS`] times. In `attempt` nothing else may try
/// again: the attempts would multiply, and whoever waits for the answer would wait as many times longer.
pub(super) async fn retrying<T, F, A>(mut attempt: F) -> Result<T, Error>
where
    F: FnMut() -> A,
    A: Future<Output = Result<T, Error>>,
{
    let mut wait = FIRST_WAIT;
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(error) if error.is_transient() => {
                tracing::debug!(error = &error as &dyn std::error::Error, "storage: trying again");
                tokio::time::sleep(wait).await;
                wait *= 4;
            }
            other => return other,
        }
    }
    attempt().await
}
