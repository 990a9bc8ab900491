//! One submission of a sweep after the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;
use vico::ids::SweepId;

/// Those who submit one sweep, in the order in which they came. Whoever has it locked is at it.
type Queue = tokio::sync::Mutex<()>;

/// The queues of all sweeps that are being submitted. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<BTreeMap<SweepId, Weak<Queue>>>>);

impl Turns {
    /// Waits until all who came before for the same sweep are done; dropped, it lets the next one in.
    pub(crate) async fn of(&self, sweep: &SweepId) -> OwnedMutexGuard<()> {
        self.queue(sweep).lock_owned().await
    }

    fn queue(&self, sweep: &SweepId) -> Arc<Queue> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those in which nobody stands any more.
        queues.retain(|_, queue| queue.strong_count() > 0);
        if let Some(queue) = queues.get(sweep).and_then(Weak::upgrade) {
            return queue;
        }
        let queue = Arc::new(Queue::new(()));
        queues.insert(sweep.clone(), Arc::downgrade(&queue));
        queue
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn who_submits_another_sweep_does_not_wait() {
        let turns = Turns::default();
        let [a, b] = ["a", "b"].map(|id| id.parse::<SweepId>().unwrap());
        let first = turns.of(&a).now_or_never();
        assert!(first.is_some());
        assert!(turns.of(&b).now_or_never().is_some());
        assert!(turns.clone().of(&a).now_or_never().is_none());
        drop(first);
        assert!(turns.of(&a).now_or_never().is_some());
    }

    #[test]
    fn queues_do_not_pile_up() {
        let turns = Turns::default();
        for number in 0..100 {
            let sweep = format!("sweep-{number}").parse().unwrap();
            assert!(turns.of(&sweep).now_or_never().is_some());
        }
        assert_eq!(turns.0.lock().unwrap().len(), 1);
    }
}
