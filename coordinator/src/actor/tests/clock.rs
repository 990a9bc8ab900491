//! Leases run out of silence, and of nothing else that a clock says.

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_costs_no_attempt() {
    let shortly_before = TTL.saturating_sub(SECOND);
    for seconds in [3600, -3600] {
        let place = Place::open(Store::in_memory()).await;
        let grant = place.grant().await;
        sleep(TTL / 2).await;
        place.clock.set_ahead(seconds);
        sleep(shortly_before).await;
        assert_eq!(place.renew(&grant).await.revoked, [], "{seconds} s");
        sleep(shortly_before).await;
        assert_eq!(place.failures(&grant).await, 0, "{seconds} s");
        sleep(2 * SECOND).await;
        assert_eq!(place.failures(&grant).await, 1, "silent since {seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn who_falls_silent_is_lost_wherever_the_clock_jumps() {
    for seconds in [3600, -3600] {
        let place = Place::open(Store::in_memory()).await;
        let grant = place.grant().await;
        place.renew(&grant).await;
        place.clock.set_ahead(seconds);
        sleep(TTL + SECOND).await;
        assert_eq!(place.failures(&grant).await, 1, "{seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stood_still_waits_for_its_workers() {
    let place = Place::open(Store::in_memory()).await;
    let grant = place.grant().await;
    tokio::time::advance(Duration::from_hours(1)).await;
    sleep(TTL / 2).await;
    assert_eq!(place.renew(&grant).await.revoked, []);
    assert_eq!(place.failures(&grant).await, 0);
}

fn held(actor: &Actor) -> Vec<(JobKey, LeaseId)> {
    let leases = actor.brain.state.leases();
    leases.map(|(job, lease)| (job.key, lease.id)).collect()
}

#[tokio::test]
async fn who_spoke_in_time_is_heard_before_leases_run_out() {
    let clock = SetClock::new();
    let (mut actor, inbox) = idle_actor(&clock);
    actor.watch_clock();
    actor.execute(&Command::AddSweep(sweep())).unwrap();
    actor.register(&staged::introduction(&session().worker), oneshot::channel().0);
    let (answer, _granted) = oneshot::channel();
    actor.acquire(&ask(), answer);
    actor.place();
    let [(job, lease)] = held(&actor)[..] else {
        panic!("{:?}", held(&actor))
    };

    clock.set_ahead(31);
    let renewal = Message::Renew(renewal(job, lease), oneshot::channel().0);
    assert!(inbox.try_send(renewal).is_ok());
    actor.tick();
    assert_eq!(held(&actor), [(job, lease)]);
    clock.set_ahead(62);
    actor.tick();
    assert!(held(&actor).is_empty());
}
