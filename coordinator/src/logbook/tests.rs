//! Logs in memory, in the bucket, and from one process to the next.
#![expect(clippy::unwrap_used, reason = "tests say what they expect")]

use std::sync::Arc;

use tokio::time::Instant;
use vico::digest::Digest;
use vico::store::{Fate, FateOutcome, SharedMemory, Weather};

use super::*;

fn id() -> AttemptId {
    (JobKey(Digest::of(b"job")), Attempt(1))
}

fn worker() -> WorkerId {
    "w1".parse().unwrap()
}

async fn part(book: &LogBook, store: &Store, seen: u64) -> Part {
    book.read(store, (id(), &worker()), seen).await.unwrap()
}

async fn texts(book: &LogBook, store: &Store) -> Vec<String> {
    let part = part(book, store, 0).await;
    part.lines.into_iter().map(|line| line.text).collect()
}

#[tokio::test]
async fn a_log_is_the_same_before_and_after_it_leaves_memory() {
    let (book, store) = (LogBook::default(), Store::in_memory());
    book.append(id(), &["loss 0.5".into(), "two\nlines".into()], Timestamp(5000));
    let expected = ["loss 0.5", "two", "lines"];
    assert_eq!(texts(&book, &store).await, expected);
    book.close(id());
    book.flush(&store, id()).await.unwrap();
    assert!(book.due().is_empty());
    assert_eq!(texts(&book, &store).await, expected);
    let part = part(&book, &store, 0).await;
    assert_eq!((part.lines[0].at, part.seen), (Timestamp(5000), 3));
}

#[tokio::test]
async fn a_new_process_adds_to_what_was_written() {
    let store = Store::in_memory();
    for part in ["before", "after"] {
        let book = LogBook::default();
        book.append(id(), &[part.into()], Timestamp(1000));
        book.flush(&store, id()).await.unwrap();
    }
    assert_eq!(texts(&LogBook::default(), &store).await, ["before", "after"]);
}

#[tokio::test]
async fn endless_logs_lose_their_beginning() {
    let (book, store) = (LogBook::default(), Store::in_memory());
    let lines: Vec<String> = (0..=lines::KEPT_LINES).map(|n| n.to_string()).collect();
    book.append(id(), &lines, Timestamp(1000));
    book.close(id());
    book.flush(&store, id()).await.unwrap();
    let lines = texts(&book, &store).await;
    assert_eq!(lines[..2], ["(1 earlier lines were dropped)", "1"]);
}

/// It is counted the same in memory, in the bucket, and by the next process.
#[tokio::test]
async fn a_reader_goes_on_where_it_was() {
    let store = Store::in_memory();
    let many: Vec<String> = (0..lines::KEPT_LINES).map(|n| n.to_string()).collect();
    let mut seen = 0;
    for process in 0..3 {
        let book = LogBook::default();
        book.append(id(), &many, Timestamp(1000));
        book.flush(&store, id()).await.unwrap();
        seen = part(&book, &store, seen).await.seen;
        book.append(id(), &["new".into()], Timestamp(2000));
        let new = part(&book, &store, seen).await;
        let texts: Vec<&str> = new.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["new"], "process {process}");
        seen = new.seen;
        book.close(id());
        book.flush(&store, id()).await.unwrap();
        let ended = part(&book, &store, seen).await;
        assert_eq!((ended.lines.len(), ended.seen), (0, seen));
    }
    assert_eq!(seen, 3 * (lines::KEPT_LINES as u64 + 1));
}

/// A bucket that answers every read, and writes or not.
#[derive(Debug)]
struct Answers {
    writes: bool,
}

impl Weather for Answers {
    fn next(&self, _key: &str, is_write: bool) -> Fate {
        let answers = self.writes || !is_write;
        Fate {
            after: Duration::ZERO,
            outcome: if answers {
                FateOutcome::Done
            } else {
                FateOutcome::Silent
            },
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_write_ends_soon_and_what_is_broken_off_is_not_taken_for_written() {
    let (book, memory) = (LogBook::default(), SharedMemory::default());
    let deaf = memory.under(Arc::new(Answers { writes: false }));
    let stop = CancellationToken::new();
    let begun = Instant::now();
    book.append(id(), &["one".into()], Timestamp(1000));
    let stopped = async {
        // By then a write is under way.
        sleep(FLUSH_EVERY * 2).await;
        stop.cancel();
    };
    tokio::join!(book.run(&deaf, stop.clone()), stopped);
    assert!(begun.elapsed() < FLUSH_EVERY * 2 + FAREWELL * 2);
    assert_eq!(book.due(), [id()]);
    book.close(id());
    let store = memory.under(Arc::new(Answers { writes: true }));
    book.flush(&store, id()).await.unwrap();
    assert!(book.due().is_empty());
    assert_eq!(texts(&book, &store).await, ["one"]);
}
