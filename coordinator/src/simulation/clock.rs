//! The machine's clock as one process sees it: simulated time, a little off, not quite as fast, and set by somebody.

use std::time::Duration;

use tokio::time::Instant;
use vico::clock::{Clock, Timestamp};

use super::ROUGH;
use super::chance::Chance;

/// When every simulation begins.
const BEGIN: Timestamp = Timestamp(1_700_000_000_000);

#[derive(Debug)]
pub(super) struct SkewedClock {
    started: Instant,
    ahead: Duration,
    /// Parts of a thousand that it is too fast.
    fast: u32,
    jump: Option<Jump>,
}

/// Somebody sets the clock: a good deal more than time passes between two looks at it.
#[derive(Debug, Clone, Copy)]
struct Jump {
    /// After the simulation's start.
    at: Duration,
    by: Duration,
    is_back: bool,
}

impl SkewedClock {
    /// A clock up to two minutes ahead of `started` and up to one percent too fast.
    pub(super) fn new(started: Instant, chance: &mut Chance) -> Self {
        Self {
            started,
            ahead: chance.seconds(0, 120),
            fast: chance.below(11) as u32,
            jump: None,
        }
    }

    /// The same, but set forth or back for some processes, by up to half an hour.
    pub(super) fn jumping(self, chance: &mut Chance) -> Self {
        let jump = chance.happens(0.5).then(|| Jump {
            at: chance.seconds(0, ROUGH.as_secs()),
            by: chance.seconds(15, 1800),
            is_back: chance.happens(0.5),
        });
        Self { jump, ..self }
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        let passed = self.started.elapsed();
        let steady = BEGIN + self.ahead + passed + passed * self.fast / 1000;
        match self.jump.filter(|jump| jump.at <= passed) {
            Some(jump) if jump.is_back => steady - jump.by,
            Some(jump) => steady + jump.by,
            None => steady,
        }
    }
}
