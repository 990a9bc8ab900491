//! A job that runs late runs on two workers.

use std::time::Duration;

use vico::job::JobState;
use vico::protocol::{ClientError, RefusalKind};
use vico::status::SweepState;

use crate::bench::{Bench, manifest};

#[tokio::test]
async fn who_finds_nothing_else_to_do_races_a_late_job_and_the_first_receipt_wins() {
    let bench = Bench::new().await;
    let sweep = bench.submit(manifest("hello", 4)).await;
    let slow = bench.worker("slow", 1).await;
    let late = slow.acquire_one().await;
    let quick = bench.worker("quick", 3).await;
    assert_eq!(quick.work().await, 9, "all there is beside the late one's chain");

    // A quarter of it is done, and half a second later still no more.
    slow.renew(&late, &[]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    slow.renew(&late, &[]).await;
    let second = quick.acquire_one().await;
    assert_eq!((second.job, second.attempt.0), (late.job, 2));
    assert!(slow.renew(&late, &[]).await.revoked.is_empty(), "both run");
    let short = &late.job.to_string()[..10];
    let open = |attempts: &[vico::status::AttemptRecord]| {
        attempts.iter().filter(|attempt| attempt.ended.is_none()).count()
    };
    let racing = bench.users().describe_job(short).await.unwrap();
    assert_eq!(
        (racing.status.state, open(&racing.attempts)),
        (JobState::Leased, 2)
    );

    quick.complete(&second).await.unwrap();
    let revoked = slow.renew(&late, &[]).await.revoked;
    let reason = &revoked[0].reason;
    assert!(reason.contains("another attempt finished first"), "{reason}");
    let ClientError::Refused(refusal) = slow.complete(&late).await.unwrap_err() else {
        panic!("no refusal");
    };
    assert_eq!(refusal.kind, RefusalKind::StaleLease);

    assert_eq!(quick.work().await, 2);
    assert_eq!(bench.wait_for(&sweep).await.state, SweepState::Succeeded);
    let done = bench.users().describe_job(short).await.unwrap();
    assert_eq!(open(&done.attempts), 0);
    assert!(done.receipt_json.unwrap().contains("quick"));
}
