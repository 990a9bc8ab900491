//! What a worker says while its receipt is being written.

use std::sync::atomic::AtomicBool;

use tokio::time::sleep;
use vico::job::{FailedAttempt, Failure, FailureClass};
use vico::protocol::RefusalKind;
use vico::store::{Fate, FateOutcome, SharedMemory, Weather};

use super::*;

/// A bucket that takes its time with receipts.
#[derive(Debug)]
struct SlowReceipts;

impl Weather for SlowReceipts {
    fn next(&self, key: &str, is_write: bool) -> Fate {
        let is_slow = is_write && key.ends_with("/receipt.json");
        Fate {
            after: if is_slow { 2 * TTL } else { Duration::ZERO },
            outcome: FateOutcome::Done,
        }
    }
}

/// A bucket that refuses receipts until it is set right.
#[derive(Debug, Default)]
struct RefusedReceipts {
    is_over: AtomicBool,
}

impl Weather for RefusedReceipts {
    fn next(&self, key: &str, is_write: bool) -> Fate {
        let is_receipt = is_write && key.ends_with("/receipt.json");
        let is_refused = is_receipt && !self.is_over.load(Ordering::SeqCst);
        Fate {
            after: Duration::ZERO,
            outcome: if is_refused {
                FateOutcome::Refused
            } else {
                FateOutcome::Done
            },
        }
    }
}

async fn fail(place: &Place, grant: &Grant) -> Result<(), Refusal> {
    let failed = FailedAttempt {
        session: session(),
        job: grant.job,
        lease: grant.lease,
        failure: Failure {
            class: FailureClass::Internal,
            message: "no answer".to_owned(),
        },
        log: Vec::new(),
    };
    place.handle.fail(failed).await
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_not_taken_before_the_receipt_is_decided() {
    let store = SharedMemory::default().under(Arc::new(SlowReceipts));
    let place = Place::open(store.clone()).await;
    let grant = place.grant().await;
    let meanwhile = async {
        sleep(TTL).await;
        fail(&place, &grant).await
    };
    let (completed, failed) = tokio::join!(complete(&place, &store, &grant), meanwhile);
    completed.unwrap();
    assert_eq!(
        failed.unwrap_err().kind,
        RefusalKind::Unavailable,
        "worth asking again"
    );
    let stale = fail(&place, &grant).await.unwrap_err();
    assert_eq!(stale.kind, RefusalKind::StaleLease, "{stale}");
    assert_eq!(place.failures(&grant).await, 0);
}

#[tokio::test(start_paused = true)]
async fn last_lines_are_kept_once_however_often_the_worker_asks() {
    let weather = Arc::new(RefusedReceipts::default());
    let store = SharedMemory::default().under(weather.clone());
    let place = Place::open(store.clone()).await;
    let grant = place.grant().await;
    for _ in 0..2 {
        let refusal = complete(&place, &store, &grant).await.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Unavailable, "{refusal}");
    }
    weather.is_over.store(true, Ordering::SeqCst);
    complete(&place, &store, &grant).await.unwrap();
    sleep(TTL).await;
    let log = store.log(grant.job, grant.attempt).await.unwrap().unwrap();
    assert_eq!(log.matches("done").count(), 1, "{log}");
}
