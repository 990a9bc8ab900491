//! Snapshots of the journal: they take the place of what they tell of, and of nothing that came after.

use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use vico::store::{Error, FateOutcome, Journal, SharedMemory, Store, Weather};

use crate::backends::{local, on_every_backend};
use crate::journal::{Trouble, contents, files, frames, open};

/// Writes one while nothing else happens, unless there is nothing new.
pub(crate) async fn snapshot(journal: &mut Journal, state: impl Into<Bytes>) {
    if let Some(new) = journal.begin_snapshot(state.into()).unwrap() {
        let kept = new.write().await.unwrap();
        journal.end_snapshot(&kept);
    }
}

#[tokio::test]
async fn recovery_is_the_snapshot_and_what_came_after() {
    on_every_backend(async |store| {
        let mut journal = open(&store, "one").await;
        let mut state = String::new();
        for i in 0..30 {
            let event = format!("{i},");
            journal.append(&frames(&[&event])).await.unwrap();
            state.push_str(&event);
            if i % 7 == 6 {
                snapshot(&mut journal, state.clone()).await;
                snapshot(&mut journal, state.clone()).await;
            }
            if i % 10 == 9 {
                assert_eq!(contents(&store, &format!("reader {i}")).await, state);
                journal = open(&store, &format!("writer {i}")).await;
            }
        }
        assert_eq!(contents(&store, "last").await, state);
    })
    .await;
}

#[tokio::test]
async fn what_is_appended_while_a_snapshot_is_written_comes_after_it() {
    on_every_backend(async |store| {
        let mut journal = open(&store, "one").await;
        let mut state = String::new();
        for i in 0..12 {
            journal.append(&frames(&["before,"])).await.unwrap();
            state.push_str("before,");
            let new = journal.begin_snapshot(Bytes::from(state.clone())).unwrap();
            journal.append(&frames(&["beside,"])).await.unwrap();
            state.push_str("beside,");
            let kept = new.unwrap().write().await.unwrap();
            journal.append(&frames(&["after,"])).await.unwrap();
            state.push_str("after,");
            journal.end_snapshot(&kept);
            if i % 4 == 3 {
                assert_eq!(contents(&store, &format!("reader {i}")).await, state);
                journal = open(&store, &format!("writer {i}")).await;
            }
        }
        let nothing_new = journal.begin_snapshot(Bytes::from(state.clone())).unwrap();
        journal.end_snapshot(&nothing_new.unwrap().write().await.unwrap());
        assert!(journal.begin_snapshot(Bytes::from(state)).unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn two_snapshots_stay_and_older_segments_go() {
    let folder = TempDir::new().unwrap();
    let store = local(&folder).await;
    let mut journal = open(&store, "one").await;
    for i in 0..40 {
        journal.append(&frames(&["event"])).await.unwrap();
        if i % 10 == 9 {
            snapshot(&mut journal, format!("state {i}")).await;
        }
    }
    // Ten between the two snapshots that are kept, and the claim.
    assert_eq!(files(&store, "state/log").len(), 11);
    assert_eq!(files(&store, "state/snapshot").len(), 2);
    assert_eq!(contents(&store, "two").await, "state 39");
}

fn damage_newest(store: &Store) {
    let newest = files(store, "state/snapshot").pop().unwrap();
    std::fs::write(newest, "garbage").unwrap();
}

#[tokio::test]
async fn a_damaged_snapshot_is_passed_over_for_the_one_before() {
    let folder = TempDir::new().unwrap();
    let store = local(&folder).await;
    let mut journal = open(&store, "one").await;
    for state in ["a", "ab", "abc"] {
        journal
            .append(&frames(&[&state[state.len() - 1..]]))
            .await
            .unwrap();
        snapshot(&mut journal, state).await;
    }
    damage_newest(&store);
    let (_, recovered) = Journal::open(&store, "two").await.unwrap();
    assert_eq!(recovered.snapshot.as_deref(), Some(b"ab".as_slice()));
    assert_eq!(recovered.events, frames(&["c"]));
    assert_eq!(recovered.repairs.len(), 1, "{:?}", recovered.repairs);
}

#[tokio::test]
async fn a_damaged_snapshot_does_not_count_among_the_two_that_stay() {
    let folder = TempDir::new().unwrap();
    let store = local(&folder).await;
    let mut journal = open(&store, "one").await;
    for (event, state) in [("a", "a"), ("b", "ab"), ("c", "abc")] {
        journal.append(&frames(&[event])).await.unwrap();
        snapshot(&mut journal, state).await;
    }
    damage_newest(&store);
    let mut journal = open(&store, "two").await;
    journal.append(&frames(&["d"])).await.unwrap();
    snapshot(&mut journal, "abcd").await;
    damage_newest(&store);
    let (mut journal, recovered) = Journal::open(&store, "three").await.unwrap();
    assert_eq!(recovered.snapshot.as_deref(), Some(b"ab".as_slice()));
    assert_eq!(recovered.events, frames(&["c", "d"]));
    for (event, state) in [("e", "abcde"), ("f", "abcdef")] {
        journal.append(&frames(&[event])).await.unwrap();
        snapshot(&mut journal, state).await;
    }
    assert_eq!(
        files(&store, "state/snapshot").len(),
        2,
        "the damaged ones go in the end"
    );
    assert_eq!(contents(&store, "four").await, "abcdef");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_could_not_be_written_is_written_later() {
    let trouble = Arc::new(Trouble::default());
    let weather: Arc<dyn Weather> = trouble.clone();
    let store = SharedMemory::default().under(weather);
    let mut journal = open(&store, "one").await;
    journal.append(&frames(&["a"])).await.unwrap();
    let new = journal.begin_snapshot("a".into()).unwrap().unwrap();
    *trouble.0.lock().unwrap() = Some(FateOutcome::Refused);
    let failed = new.write().await;
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    *trouble.0.lock().unwrap() = None;
    journal.append(&frames(&["b"])).await.unwrap();
    assert_eq!(contents(&store, "two").await, "ab");

    let mut journal = open(&store, "three").await;
    journal.append(&frames(&["c"])).await.unwrap();
    *trouble.0.lock().unwrap() = Some(FateOutcome::Refused);
    let new = journal.begin_snapshot("abc".into()).unwrap().unwrap();
    assert!(new.write().await.is_err());
    *trouble.0.lock().unwrap() = None;
    snapshot(&mut journal, "abc").await;
    let (_, recovered) = Journal::open(&store, "four").await.unwrap();
    assert_eq!(recovered.snapshot.as_deref(), Some(b"abc".as_slice()));
    assert!(recovered.events.is_empty(), "{:?}", recovered.events);
}
