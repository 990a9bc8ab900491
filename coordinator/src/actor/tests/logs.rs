//! Logs leave memory once their attempts have ended.

use tokio::sync::oneshot;

use super::*;

#[tokio::test]
async fn a_receipt_that_another_sweep_finds_closes_the_log() {
    let clock = SetClock::new();
    let (mut actor, _inbox) = idle_actor(&clock);
    actor.execute(&Command::AddSweep(sweep())).unwrap();
    actor.register(&staged::introduction(&session().worker), oneshot::channel().0);
    let (answer, _granted) = oneshot::channel();
    actor.acquire(&ask(), answer);
    actor.place();
    let held = actor.brain.state.leases().next();
    let (job, lease) = held.map(|(job, lease)| (job.key, lease.id)).unwrap();
    actor.renew(renewal(job, lease), oneshot::channel().0);
    assert_eq!(actor.logs.open().len(), 1);

    let other = NewSweep {
        id: "t".parse().unwrap(),
        done: vec![job],
        ..sweep()
    };
    actor.execute(&Command::AddSweep(other)).unwrap();
    assert!(actor.logs.open().is_empty());
}
