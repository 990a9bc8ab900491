//! Time as a value that is passed in. Only [`SystemClock`] looks at the wall.

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Time from `earlier` until here; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

/// The last moment that RFC 3339 has a name for: it writes years with four digits.
const LAST_NAMED: Timestamp = Timestamp(253_402_300_799_999);

/// RFC 3339 in UTC, to the second. A moment beyond the year 9999, which only a broken peer tells of, is shown as the end
/// of it: to fail here would be a panic in `to_string`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = std::time::UNIX_EPOCH + Duration::from_millis((*self).min(LAST_NAMED).0);
        humantime::format_rfc3339_seconds(time).fmt(f)
    }
}

/// Where `now` comes from.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Moves time forward.
    pub fn advance(&self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_without_a_name_are_shown_as_the_last_one_that_has_one() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        for beyond in [LAST_NAMED.0, LAST_NAMED.0 + 1, u64::MAX] {
            assert_eq!(Timestamp(beyond).to_string(), "9999-12-31T23:59:59Z");
        }
    }

    proptest! {
        #[test]
        fn no_moment_and_no_span_is_too_much(at: u64, other: u64, secs: u64) {
            let (at, span) = (Timestamp(at), Duration::from_secs(secs));
            prop_assert!(!at.to_string().is_empty());
            prop_assert!(at + span >= at);
            prop_assert!(at - span <= at);
            prop_assert!(at.since(Timestamp(other)) <= Duration::from_millis(u64::MAX));
        }
    }
}
