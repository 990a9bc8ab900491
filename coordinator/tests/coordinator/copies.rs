//! A job that runs late runs on two workers.

use std::time::Duration;

use vico::job::{Grant, JobState};
use vico::protocol::{ClientError, RefusalKind};
use vico::status::SweepState;

use crate::bench::{Bench, manifest};
use crate::fake_worker::FakeWorker;

/// Two workers with an attempt each at the same job, the slow one first.
async fn race(bench: &Bench) -> [(FakeWorker, Grant); 2] {
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
    [(slow, late), (quick, second)]
}

#[tokio::test]
async fn who_finds_nothing_else_to_do_races_a_late_job_and_the_first_receipt_wins() {
    let bench = Bench::new().await;
    let sweep = bench.submit(manifest("hello", 4)).await;
    let [(slow, late), (quick, second)] = race(&bench).await;
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

#[tokio::test]
async fn both_attempts_at_a_job_are_followed() {
    let bench = Bench::new().await;
    bench.submit(manifest("hello", 4)).await;
    let [(slow, late), (quick, second)] = race(&bench).await;
    slow.renew(&late, &["slow 1"]).await;
    quick.renew(&second, &["quick 1"]).await;
    let mut log = bench.users().logs(&late.job.to_string(), true).await.unwrap();
    let mut next = async || log.next().await.unwrap().map(|line| (line.attempt.0, line.text));
    let line = |attempt: u32, text: &str| Some((attempt, text.to_owned()));
    assert_eq!(next().await, line(1, "slow 1"));
    assert_eq!(next().await, line(2, "quick 1"));
    slow.renew(&late, &["slow 2"]).await;
    assert_eq!(next().await, line(1, "slow 2"));
    quick.renew(&second, &["quick 2"]).await;
    assert_eq!(next().await, line(2, "quick 2"));
    slow.complete(&late).await.unwrap();
    assert_eq!(next().await, line(1, "done"));
    assert_eq!(next().await, None);
}
