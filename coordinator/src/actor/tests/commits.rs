//! What a worker says while its receipt is being written.

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
