//! Workers that leave or introduce themselves again.

use tokio::time::sleep;
use vico::job::{JobState, Release};

use super::*;

#[tokio::test(start_paused = true)]
async fn who_leaves_gives_back_what_it_does_not_know_of() {
    let place = Place::open(Store::in_memory()).await;
    let grant = place.grant().await;
    let goodbye = Release {
        session: session(),
        leases: Vec::new(),
        leaving: true,
    };
    place.handle.release(goodbye).await.unwrap();
    let state = place
        .handle
        .look(move |brain, _| brain.state.job(grant.job).unwrap().phase.state());
    assert_eq!(state.await.unwrap(), JobState::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_a_registration_ends_brings_nothing() {
    let place = Place::open(Store::in_memory()).await;
    let who = staged::introduction(&session().worker);
    place.handle.register(who.clone()).await.unwrap();
    let again = async {
        sleep(Duration::from_secs(1)).await;
        place.handle.register(who).await
    };
    let (polled, registered) = tokio::join!(place.handle.acquire(ask()), again);
    registered.unwrap();
    assert!(polled.unwrap().is_empty());
}
