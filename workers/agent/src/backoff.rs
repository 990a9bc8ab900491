//! Waiting ever longer between two tries, not in step with other workers.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);

/// How long to wait before the next try: doubling from 0.2 s to 5 s, each shortened by up to a half at random.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// Waits, and will wait longer the next time.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.delay()).await;
    }

    /// The next delay.
    pub fn delay(&mut self) -> Duration {
        let whole = self.next;
        self.next = LONGEST.min(2 * whole);
        let share = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
        whole.mul_f64(1.0 - share / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_bound_and_vary() {
        let mut backoff = Backoff::default();
        let delays: Vec<_> = (0..50).map(|_| backoff.delay()).collect();
        assert!(delays[0] >= FIRST / 2 && delays[0] <= FIRST);
        let late = &delays[10..];
        assert!(
            late.iter()
                .all(|delay| *delay >= LONGEST / 2 && *delay <= LONGEST)
        );
        assert!(
            late.iter().any(|delay| delay != &late[0]),
            "workers would ask in step"
        );
    }
}
