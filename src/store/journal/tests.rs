//! What a journal takes the next start to read, and when that is too much.
#![expect(clippy::unwrap_used, reason = "tests say what they expect")]

use super::*;

const LONGEST: LongestTail = LongestTail {
    bytes: 100_000,
    segments: 50,
};

async fn open() -> Journal {
    let (journal, _) = Journal::open(&Store::in_memory(), "one").await.unwrap();
    journal.with_longest_tail(LONGEST)
}

/// All of them have the same size.
async fn append(journal: &mut Journal, segments: u64) {
    for _ in 0..segments {
        journal.append(&[Bytes::from_static(b"event")]).await.unwrap();
    }
}

#[tokio::test]
async fn after_a_snapshot_there_is_left_what_was_appended_since_it_was_begun() {
    let mut journal = open().await;
    append(&mut journal, 3).await;
    let each = journal.tail.bytes / 3;
    assert!(each > 0);
    let last = journal.next - 1;
    let new = journal.begin_snapshot("state".into()).unwrap().unwrap();
    append(&mut journal, 2).await;
    let kept = new.write().await.unwrap();
    append(&mut journal, 1).await;
    journal.end_snapshot(&kept);
    let left = Tail {
        bytes: 3 * each,
        segments: 3,
        snapshot: last,
        snapshot_bytes: 5,
    };
    assert_eq!(journal.tail, left);

    let last = journal.next - 1;
    let new = journal.begin_snapshot("the state".into()).unwrap().unwrap();
    journal.end_snapshot(&new.write().await.unwrap());
    let nothing = Tail {
        snapshot: last,
        snapshot_bytes: 9,
        ..Tail::default()
    };
    assert_eq!(journal.tail, nothing);
}

#[tokio::test]
async fn a_snapshot_is_wanted_until_what_made_it_due_is_covered() {
    let many = Tail {
        segments: LONGEST.segments,
        ..Tail::default()
    };
    let large = Tail {
        bytes: LONGEST.bytes + 1,
        ..Tail::default()
    };
    for (due, is_of_before) in [(many, true), (many, false), (large, true), (large, false)] {
        let mut journal = open().await;
        assert!(!journal.wants_snapshot());
        if is_of_before {
            let before = Before {
                tail: due,
                ..Before::default()
            };
            journal.before = Arc::new(OnceLock::from(before));
        } else {
            journal.tail = due;
        }
        append(&mut journal, 1).await;
        assert!(journal.wants_snapshot(), "{due:?}");
        let new = journal.begin_snapshot("state".into()).unwrap().unwrap();
        append(&mut journal, 1).await;
        let kept = new.write().await.unwrap();
        assert!(journal.wants_snapshot(), "nobody has taken note of it");
        journal.end_snapshot(&kept);
        assert!(!journal.wants_snapshot(), "{:?}", journal.tail);
        assert_eq!(journal.tail.segments, 1);
    }
}

#[tokio::test]
async fn a_tail_that_is_smaller_than_the_last_snapshot_wants_no_other() {
    let mut journal = open().await;
    journal.tail.bytes = LONGEST.bytes + 1;
    journal.tail.snapshot_bytes = journal.tail.bytes;
    assert!(!journal.wants_snapshot());
    append(&mut journal, 1).await;
    assert!(journal.wants_snapshot());
}
