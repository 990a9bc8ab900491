//! Tasks beside the actor that panic: whoever waits for them is told, and goes on.

use std::sync::atomic::AtomicU32;

use tokio::time::sleep;
use vico::protocol::RefusalKind;
use vico::store::{Fate, FateOutcome, SharedMemory, Weather};

use super::*;

/// A bug in the bucket's client: the first request for such a key panics.
#[derive(Debug)]
struct Trap {
    key: &'static str,
    requests: AtomicU32,
}

impl Trap {
    fn at(key: &'static str) -> Arc<Self> {
        let requests = AtomicU32::new(0);
        Arc::new(Self { key, requests })
    }
}

impl Weather for Trap {
    fn next(&self, key: &str, _is_write: bool) -> Fate {
        let is_first = key.contains(self.key) && self.requests.fetch_add(1, Ordering::SeqCst) == 0;
        assert!(!is_first, "a bug that the test asked for");
        Fate {
            after: Duration::ZERO,
            outcome: FateOutcome::Done,
        }
    }
}

fn bucket(trap: &Arc<Trap>) -> Store {
    let weather: Arc<dyn Weather> = trap.clone();
    SharedMemory::default().under(weather)
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_panics_leaves_the_lease_as_it_was() {
    for asks_again in [true, false] {
        let store = bucket(&Trap::at("/receipt.json"));
        let place = Place::open(store.clone()).await;
        let grant = place.grant().await;
        let refusal = complete(&place, &store, &grant).await.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Internal, "{refusal}");
        if asks_again {
            complete(&place, &store, &grant).await.unwrap();
        } else {
            sleep(TTL + Duration::from_secs(1)).await;
            assert_eq!(place.failures(&grant).await, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn results_are_written_again_after_a_panic() {
    let trap = Trap::at("sweeps/s/");
    let store = bucket(&trap);
    let place = Place::open(store.clone()).await;
    let mut grant = place.grant().await;
    for _ in 0..2 {
        complete(&place, &store, &grant).await.unwrap();
        grant = place.handle.acquire(ask()).await.unwrap().remove(0);
    }
    complete(&place, &store, &grant).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(trap.requests.load(Ordering::SeqCst), 1);
    sleep(Duration::from_secs(35)).await;
    assert!(trap.requests.load(Ordering::SeqCst) > 1);
}
