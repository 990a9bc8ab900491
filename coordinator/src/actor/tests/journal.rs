//! What a coordinator writes while nothing happens, before it can do anything else, and when it is to stop.

use std::sync::atomic::AtomicBool;

use tokio::time::{sleep, timeout};
use vico::store::{self, Fate, FateOutcome, Journal, SharedMemory, Weather};

use super::*;
use crate::{recovery, standby};

/// A process that reads the journal's first segment slowly once it has claimed the journal.
#[derive(Debug)]
struct Reads {
    take: Duration,
    has_claimed: AtomicBool,
}

impl Weather for Reads {
    fn next(&self, key: &str, is_write: bool) -> Fate {
        let has_claimed = self.has_claimed.fetch_or(is_write, Ordering::SeqCst);
        let is_slow = has_claimed && !is_write && key.ends_with("/00000000000000000001.seg");
        Fate {
            after: if is_slow { self.take } else { Duration::ZERO },
            outcome: FateOutcome::Done,
        }
    }
}

fn reader(memory: &SharedMemory, take: Duration) -> Store {
    let has_claimed = AtomicBool::new(false);
    memory.under(Arc::new(Reads { take, has_claimed }))
}

#[tokio::test(start_paused = true)]
async fn the_journal_of_an_idle_coordinator_does_not_grow_for_ever() {
    let store = Store::in_memory();
    let place = Place::open(store.clone()).await;
    place.grant().await;
    // More than two snapshots' worth of segments without events.
    sleep(Duration::from_hours(7)).await;
    drop(place);
    let (_, recovered) = Journal::open(&store, "judge").await.unwrap();
    assert!(recovered.snapshot.is_some());
    assert!(recovered.events.len() < 1000, "{} frames", recovered.events.len());
    let state = recovery::fold(&recovered).unwrap();
    assert!(state.sweep(&sweep().id).is_some());
}

/// A bucket that takes its time with snapshots.
#[derive(Debug)]
struct SlowSnapshots {
    take: Duration,
    has_begun: AtomicBool,
}

impl SlowSnapshots {
    fn new(take: Duration) -> Arc<Self> {
        let has_begun = AtomicBool::new(false);
        Arc::new(Self { take, has_begun })
    }

    /// Waits until there are so many segments without events that they make a snapshot due.
    async fn begin(&self) {
        while !self.has_begun.load(Ordering::SeqCst) {
            sleep(Duration::from_secs(1)).await;
        }
    }
}

impl Weather for SlowSnapshots {
    fn next(&self, key: &str, is_write: bool) -> Fate {
        let is_slow = is_write && key.starts_with("state/snapshot/");
        self.has_begun.fetch_or(is_slow, Ordering::SeqCst);
        Fate {
            after: if is_slow { self.take } else { Duration::ZERO },
            outcome: FateOutcome::Done,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_writes_a_long_snapshot_is_not_taken_for_gone_and_goes_on_to_answer() {
    let memory = SharedMemory::default();
    let slow = SlowSnapshots::new(6 * TTL);
    let weather: Arc<dyn Weather> = slow.clone();
    let place = Place::open(memory.under(weather)).await;
    place.grant().await;
    let swift = reader(&memory, Duration::ZERO);
    let watched = swift.clone();
    let silence = tokio::spawn(async move { standby::until_silence(&watched).await });
    slow.begin().await;
    let late = staged::sweep("late".parse().unwrap(), staged::chain("late", "m", 0).into());
    let id = late.id.clone();
    let answered = timeout(TTL, place.handle.command(Command::AddSweep(late))).await;
    assert_eq!(answered.unwrap(), Ok(()), "while the snapshot is written");
    sleep(10 * TTL).await;
    assert!(!silence.is_finished(), "nothing was heard of it");
    drop(place);
    let (_, recovered) = Journal::open(&swift, "judge").await.unwrap();
    assert!(recovered.snapshot.is_some());
    assert!(recovered.events.len() < 1000, "{} frames", recovered.events.len());
    let state = recovery::fold(&recovered).unwrap();
    assert!(state.sweep(&sweep().id).is_some() && state.sweep(&id).is_some());
}

#[tokio::test(start_paused = true)]
async fn who_is_to_stop_lets_a_snapshot_come_to_its_end() {
    let memory = SharedMemory::default();
    let slow = SlowSnapshots::new(Duration::from_secs(3));
    let weather: Arc<dyn Weather> = slow.clone();
    let place = Place::open(memory.under(weather)).await;
    place.grant().await;
    slow.begin().await;
    place.stop.disarm().cancel();
    let ended = timeout(TTL, place.working).await.unwrap();
    assert!(matches!(ended, Ok(Ok(()))), "{ended:?}");
    let swift = reader(&memory, Duration::ZERO);
    let (_, recovered) = Journal::open(&swift, "judge").await.unwrap();
    assert!(recovered.snapshot.is_some());
}

#[tokio::test(start_paused = true)]
async fn who_still_reads_the_journal_is_not_taken_for_gone() {
    let memory = SharedMemory::default();
    let swift = reader(&memory, Duration::ZERO);
    let first = Place::open(swift.clone()).await;
    first.grant().await;
    drop(first);
    sleep(Duration::from_secs(1)).await;

    let slow = reader(&memory, Duration::from_mins(1));
    let second = tokio::spawn(Place::open(slow));
    sleep(Duration::from_secs(1)).await;
    let silence = timeout(Duration::from_mins(3), standby::until_silence(&swift)).await;
    assert!(silence.is_err(), "nothing was heard of it");
    let second = second.await.unwrap();
    let id = sweep().id;
    let knows = second
        .handle
        .look(move |brain, _| brain.state.sweep(&id).is_some());
    assert!(knows.await.unwrap());
    drop(second);
    let silence = timeout(Duration::from_mins(1), standby::until_silence(&swift)).await;
    assert!(silence.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_is_overtaken_while_it_reads_ends_at_once() {
    let memory = SharedMemory::default();
    let swift = reader(&memory, Duration::ZERO);
    drop(Place::open(swift.clone()).await);
    sleep(Duration::from_secs(1)).await;

    let slow = reader(&memory, Duration::from_mins(1));
    let reading = tokio::spawn(async move {
        let opened = Office::open(opening(slow, &SetClock::new())).await;
        opened.map(drop)
    });
    sleep(Duration::from_secs(1)).await;
    let _newer = Place::open(swift).await;
    let ended = timeout(Duration::from_secs(10), reading).await.unwrap();
    let ended = ended.unwrap();
    assert!(
        matches!(ended, Err(Error::Store(store::Error::Fenced { .. }))),
        "{ended:?}"
    );
}

/// A bucket that answers until it does no more.
#[derive(Debug, Default)]
struct Outage(AtomicBool);

impl Weather for Outage {
    fn next(&self, _key: &str, _is_write: bool) -> Fate {
        Fate {
            after: Duration::ZERO,
            outcome: if self.0.load(Ordering::SeqCst) {
                FateOutcome::Silent
            } else {
                FateOutcome::Done
            },
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_to_stop_does_not_wait_for_the_bucket_for_ever() {
    let outage = Arc::new(Outage::default());
    let weather: Arc<dyn Weather> = outage.clone();
    let place = Place::open(SharedMemory::default().under(weather)).await;
    let grant = place.grant().await;
    outage.0.store(true, Ordering::SeqCst);
    // A log, and an event, that cannot be written.
    place.renew(&grant).await;
    let handle = place.handle.clone();
    let cordoned = tokio::spawn(async move { handle.command(Command::Cordon(session().worker)).await });
    sleep(Duration::from_secs(10)).await;
    assert!(!cordoned.is_finished());
    place.stop.disarm().cancel();
    let ended = timeout(Duration::from_secs(30), place.working).await.unwrap();
    assert!(matches!(ended, Ok(Ok(()))), "{ended:?}");
    assert!(cordoned.await.unwrap().is_err());
}
