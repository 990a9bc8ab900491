//! The machine's clock as one process sees it: simulated time, a little off, and not quite as fast.

use std::time::Duration;

use tokio::time::Instant;
use vico::clock::{Clock, Timestamp};

use super::chance::Chance;

/// When every simulation begins.
const BEGIN: Timestamp = Timestamp(1_700_000_000_000);

#[derive(Debug)]
pub(super) struct SkewedClock {
    started: Instant,
    ahead: Duration,
    /// Parts of a thousand that it is too fast.
    fast: u32,
}

impl SkewedClock {
    /// A clock up to two minutes ahead of `started` and up to one percent too fast.
    pub(super) fn new(started: Instant, chance: &mut Chance) -> Self {
        Self {
            started,
            ahead: chance.seconds(0, 120),
            fast: chance.below(11) as u32,
        }
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        let passed = self.started.elapsed();
        BEGIN + self.ahead + passed + passed * self.fast / 1000
    }
}
