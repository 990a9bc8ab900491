//! What the bucket does to one process, and when the process dies of it: before a deed, after it, or in the middle.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vico::store::{Fate, FateOutcome, Weather};

use super::chance::Chance;
use super::town::Town;

/// Shares of requests.
const CRASH: f64 = 0.004;
const REFUSED: f64 = 0.03;
const REPLY_LOST: f64 = 0.02;
const SLOW: f64 = 0.03;
const OUTAGE: f64 = 0.002;

#[derive(Debug)]
pub(super) struct RoughWeather {
    town: Arc<Town>,
    /// Told when a request kills the process; workers' requests kill nobody.
    crash: Option<CancellationToken>,
    inner: Mutex<(Chance, Instant)>,
}

impl RoughWeather {
    pub(super) fn new(town: &Arc<Town>, who: &str, crash: Option<CancellationToken>) -> Arc<Self> {
        Arc::new(Self {
            town: Arc::clone(town),
            crash,
            inner: Mutex::new((town.chance(&format!("weather of {who}")), Instant::now())),
        })
    }

    /// The process ends once the deed is done or not done.
    fn kill(&self, key: &str, after: Duration, chance: &mut Chance) -> Option<FateOutcome> {
        let crash = self.crash.clone()?;
        tokio::spawn(async move {
            tokio::time::sleep(after + Duration::from_millis(1)).await;
            crash.cancel();
        });
        // Buckets write an object whole or not at all; only a folder on a machine that loses power may tear a file, and
        // the journal is the one that has to live with that.
        let torn = key.contains("state/") && chance.happens(0.3);
        let outcomes = [FateOutcome::Silent, FateOutcome::DoneSilent];
        Some(if torn {
            FateOutcome::TornSilent
        } else {
            *chance.pick(&outcomes)
        })
    }
}

impl Weather for RoughWeather {
    fn next(&self, key: &str, is_write: bool) -> Fate {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (chance, clear_from) = &mut *inner;
        let mut after = chance.millis(1, 30);
        let outcome = if self.town.is_calm() {
            FateOutcome::Done
        } else if Instant::now() < *clear_from {
            FateOutcome::Refused
        } else {
            if chance.happens(OUTAGE) {
                *clear_from = Instant::now() + chance.seconds(2, 60);
            }
            if chance.happens(SLOW) {
                after = chance.seconds(1, 15);
            }
            match chance.happens(CRASH) {
                true if is_write => self.kill(key, after, chance).unwrap_or(FateOutcome::Done),
                _ if chance.happens(REFUSED) => FateOutcome::Refused,
                _ if is_write && chance.happens(REPLY_LOST) => FateOutcome::ReplyLost,
                _ => FateOutcome::Done,
            }
        };
        Fate { after, outcome }
    }
}
