//! The journal: what was appended is read again, once, in order, whoever reads it and whatever was torn.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use vico::store::{Error, Fate, FateOutcome, Journal, Lookout, SharedMemory, Store, Weather};

use crate::backends::{local, on_every_backend};
use crate::snapshots::snapshot;

pub(crate) fn frames(names: &[&str]) -> Vec<Bytes> {
    names
        .iter()
        .map(|name| Bytes::copy_from_slice(name.as_bytes()))
        .collect()
}

pub(crate) async fn open(store: &Store, writer: &str) -> Journal {
    Journal::open(store, writer).await.unwrap().0
}

/// Everything in the journal: the snapshot, then the events, joined.
pub(crate) async fn contents(store: &Store, writer: &str) -> String {
    let (_, recovered) = Journal::open(store, writer).await.unwrap();
    assert_eq!(recovered.repairs, Vec::<String>::new());
    let parts: Vec<Bytes> = recovered.snapshot.into_iter().chain(recovered.events).collect();
    String::from_utf8(parts.concat()).unwrap()
}

#[tokio::test]
async fn appended_frames_are_read_in_order() {
    on_every_backend(async |store| {
        let mut journal = open(&store, "one").await;
        journal.append(&frames(&["a", "b"])).await.unwrap();
        journal.append(&[]).await.unwrap();
        journal.append(&frames(&["c"])).await.unwrap();
        let mut journal = open(&store, "two").await;
        assert_eq!(journal.epoch(), 2);
        journal.append(&frames(&["d"])).await.unwrap();
        assert_eq!(contents(&store, "three").await, "abcd");
        assert_eq!(contents(&store, "four").await, "abcd");
    })
    .await;
}

#[tokio::test]
async fn the_second_coordinator_fences_the_first() {
    on_every_backend(async |store| {
        let mut first = open(&store, "the first").await;
        first.append(&frames(&["a"])).await.unwrap();
        let mut second = open(&store, "the second").await;
        second.append(&frames(&["b"])).await.unwrap();
        let fenced = first.append(&frames(&["lost"])).await.unwrap_err();
        let Error::Fenced { epoch, by, own } = fenced else {
            panic!("{fenced}");
        };
        assert_eq!((epoch, by.as_str(), own), (2, "the second", 1));
        assert!(matches!(
            first.append(&frames(&["x"])).await,
            Err(Error::JournalBroken)
        ));
        assert!(matches!(
            first.begin_snapshot(Bytes::new()),
            Err(Error::JournalBroken)
        ));
        assert_eq!(contents(&store, "the third").await, "ab");
    })
    .await;
}

#[tokio::test]
async fn of_many_that_open_at_once_one_remains() {
    on_every_backend(async |store| {
        let names: Vec<String> = (0..6).map(|i| format!("racer {i}")).collect();
        let opened = futures::future::join_all(names.iter().map(|name| Journal::open(&store, name))).await;
        let mut alive = 0;
        for journal in opened {
            let (mut journal, _) = journal.unwrap();
            match journal.append(&frames(&["x"])).await {
                Ok(()) => alive += 1,
                Err(error) => assert!(matches!(error, Error::Fenced { .. }), "{error}"),
            }
        }
        assert_eq!(alive, 1);
        assert_eq!(contents(&store, "after").await, "x");
    })
    .await;
}

#[tokio::test]
async fn a_coordinator_that_slept_through_snapshots_is_fenced_still() {
    let folder = TempDir::new().unwrap();
    let store = local(&folder).await;
    let mut sleeper = open(&store, "sleeper").await;
    sleeper.append(&frames(&["a"])).await.unwrap();
    let mut awake = open(&store, "awake").await;
    for _ in 0..5 {
        awake.append(&frames(&["b"])).await.unwrap();
        snapshot(&mut awake, "state").await;
    }
    assert!(matches!(
        sleeper.append(&frames(&["lost"])).await,
        Err(Error::Fenced { .. })
    ));
}

#[tokio::test]
async fn cut_at_every_byte_whole_frames_survive() {
    let folder = TempDir::new().unwrap();
    let store = local(&folder).await;
    open(&store, "one")
        .await
        .append(&frames(&["first", "", "third"]))
        .await
        .unwrap();
    let torn = files(&store, "state/log").pop().unwrap();
    let whole = std::fs::read(&torn).unwrap();
    for cut in 0..=whole.len() {
        // The claims of earlier rounds stay: each round is one more start after the accident.
        std::fs::write(&torn, &whole[..cut]).unwrap();
        let (_, recovered) = Journal::open(&store, &format!("cut {cut}")).await.unwrap();
        assert!(
            frames(&["first", "", "third"]).starts_with(&recovered.events),
            "cut at {cut}"
        );
        assert_eq!(recovered.repairs.is_empty(), cut == whole.len(), "cut at {cut}");
    }
    assert_eq!(contents(&store, "after").await, "firstthird");
}

/// A coordinator tears its append, the next one its claim: nothing of that was ever answered.
#[tokio::test]
async fn torn_claims_behind_a_torn_append_are_left_out() {
    let folder = TempDir::new().unwrap();
    let store = local(&folder).await;
    let mut journal = open(&store, "one").await;
    for name in ["first", "torn"] {
        journal.append(&frames(&[name])).await.unwrap();
    }
    cut(&files(&store, "state/log")[2], 3);
    for writer in ["two", "three"] {
        open(&store, writer).await;
        let claim = files(&store, "state/log").pop().unwrap();
        cut(&claim, 60);
    }
    let (_, recovered) = Journal::open(&store, "four").await.unwrap();
    assert_eq!(recovered.events, frames(&["first"]));
    assert_eq!(recovered.repairs.len(), 3, "{:?}", recovered.repairs);
}

/// Takes bytes from a file's end.
fn cut(file: &std::path::Path, bytes: usize) {
    let whole = std::fs::read(file).unwrap();
    std::fs::write(file, &whole[..whole.len() - bytes]).unwrap();
}

#[tokio::test]
async fn damage_under_later_segments_is_an_error() {
    let folder = TempDir::new().unwrap();
    let store = local(&folder).await;
    let mut journal = open(&store, "one").await;
    for name in ["a", "b", "c"] {
        journal.append(&frames(&[name])).await.unwrap();
    }
    let all = files(&store, "state/log");
    let second = std::fs::read(&all[2]).unwrap();
    std::fs::write(&all[2], &second[..second.len() - 1]).unwrap();
    let damaged = Journal::open(&store, "two").await.unwrap_err();
    assert!(matches!(damaged, Error::Corrupt { .. }), "{damaged}");
    std::fs::remove_file(&all[2]).unwrap();
    let missing = Journal::open(&store, "three").await.unwrap_err();
    assert!(matches!(missing, Error::Corrupt { .. }), "{missing}");
}

#[tokio::test]
async fn an_append_that_was_given_up_breaks_the_journal() {
    let store = Store::in_memory();
    let mut journal = open(&store, "one").await;
    let first = frames(&["a"]);
    {
        let mut append = Box::pin(journal.append(&first));
        // Polled once and dropped: nobody learns what became of the write.
        drop(futures::future::poll_immediate(&mut append).await);
    }
    let next = journal.append(&frames(&["b"])).await;
    let left = contents(&store, "two").await;
    assert!(
        next.is_ok() && left.starts_with("ab") || matches!(next, Err(Error::JournalBroken)),
        "{left}"
    );
}

/// To claim the journal again would fence a coordinator that has taken over meanwhile.
#[tokio::test]
async fn a_failed_append_goes_on_with_the_same_frames_and_no_others() {
    for outcome in [FateOutcome::Refused, FateOutcome::ReplyLost] {
        let (bucket, trouble) = (SharedMemory::default(), Arc::new(Trouble::default()));
        let weather: Arc<dyn Weather> = trouble.clone();
        let store = bucket.under(weather);
        let mut journal = open(&store, "one").await;
        *trouble.0.lock().unwrap() = Some(outcome);
        let failed = journal.append(&frames(&["a"])).await;
        // A reply that was lost is found out by reading, so only a refusal is left to the caller.
        assert_eq!(failed.is_err(), outcome == FateOutcome::Refused);
        *trouble.0.lock().unwrap() = None;
        if failed.is_err() {
            let other = journal.append(&frames(&["b"])).await;
            assert!(matches!(other, Err(Error::JournalBroken)), "{other:?}");
            journal.append(&frames(&["a"])).await.unwrap();
        }
        journal.append(&frames(&["b"])).await.unwrap();
        assert_eq!(contents(&store, "two").await, "ab");
    }
}

/// What happens to writes.
#[derive(Debug, Default)]
pub(crate) struct Trouble(pub(crate) Mutex<Option<FateOutcome>>);

impl Weather for Trouble {
    fn next(&self, _key: &str, is_write: bool) -> Fate {
        let outcome = self.0.lock().unwrap().filter(|_| is_write);
        Fate {
            after: Duration::ZERO,
            outcome: outcome.unwrap_or(FateOutcome::Done),
        }
    }
}

pub(crate) fn files(store: &Store, folder: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(store.local_root().unwrap().join(folder)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[tokio::test]
async fn who_looks_sees_every_append() {
    on_every_backend(async |store| {
        let mut journal = open(&store, "one").await;
        let mut lookout = Lookout::open(&store).await.unwrap();
        for appended in [0, 1, 2, 3, 21] {
            for _ in 0..appended {
                journal.append(&frames(&["a"])).await.unwrap();
            }
            assert_eq!(lookout.look().await.unwrap(), appended > 0, "{appended}");
            assert!(!lookout.look().await.unwrap(), "{appended}");
        }
        open(&store, "two").await;
        assert!(lookout.look().await.unwrap(), "a claim");
    })
    .await;
}

#[tokio::test]
async fn only_who_has_seen_the_end_succeeds() {
    on_every_backend(async |store| {
        let mut first = open(&store, "the first").await;
        first.append(&frames(&["a"])).await.unwrap();
        let mut lookout = Lookout::open(&store).await.unwrap();
        first.append(&frames(&["b"])).await.unwrap();
        let too_early = Journal::succeed(&store, "the second", &lookout).await.unwrap();
        assert!(too_early.is_none());
        first.append(&frames(&["c"])).await.unwrap();

        lookout.look().await.unwrap();
        let (mut second, past) = Journal::succeed(&store, "the second", &lookout)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(past.read().await.unwrap().events.concat(), b"abc");
        second.append(&frames(&["d"])).await.unwrap();
        let fenced = first.append(&frames(&["lost"])).await;
        assert!(matches!(fenced, Err(Error::Fenced { .. })), "{fenced:?}");
        let too_late = Journal::succeed(&store, "the third", &lookout).await.unwrap();
        assert!(too_late.is_none());
    })
    .await;
}

#[tokio::test]
async fn who_has_claimed_the_journal_may_append_before_reading_it() {
    on_every_backend(async |store| {
        let mut first = open(&store, "the first").await;
        first.append(&frames(&["a"])).await.unwrap();
        let (mut second, past) = Journal::claim(&store, "the second").await.unwrap();
        let mut lookout = Lookout::open(&store).await.unwrap();
        second.append(&frames(&[""])).await.unwrap();
        assert!(lookout.look().await.unwrap(), "somebody is there");
        let fenced = first.append(&frames(&["lost"])).await;
        assert!(matches!(fenced, Err(Error::Fenced { .. })), "{fenced:?}");
        assert_eq!(past.read().await.unwrap().events, frames(&["a"]));
        second.append(&frames(&["b"])).await.unwrap();
        assert_eq!(contents(&store, "the third").await, "ab");
    })
    .await;
}

/// Keeps one writer's claims on their way for an hour.
#[derive(Debug)]
struct SlowClaims;

impl Weather for SlowClaims {
    fn next(&self, key: &str, is_write: bool) -> Fate {
        let slow = is_write && key.contains("/log/");
        Fate {
            after: Duration::from_secs(if slow { 3600 } else { 0 }),
            outcome: FateOutcome::Done,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_comes_after_its_number_was_deleted_is_none() {
    let memory = SharedMemory::default();
    let store = memory.under(Arc::new(Trouble::default()));
    let mut first = open(&store, "the first").await;
    let slow = memory.under(Arc::new(SlowClaims));
    let late = tokio::spawn(async move { Journal::open(&slow, "the late one").await });
    tokio::time::sleep(Duration::from_mins(1)).await;
    for text in ["a", "b", "c"] {
        first.append(&frames(&[text])).await.unwrap();
        snapshot(&mut first, text).await;
    }
    first.append(&frames(&["d"])).await.unwrap();
    let (late, recovered) = late.await.unwrap().unwrap();
    assert_eq!(recovered.snapshot.as_deref(), Some(&b"c"[..]));
    assert_eq!(recovered.events.concat(), b"d");
    assert_eq!(late.epoch(), 2);
    let fenced = first.append(&frames(&["lost"])).await;
    assert!(matches!(fenced, Err(Error::Fenced { .. })), "{fenced:?}");
}
