//! Log lines of attempts: kept here while an attempt runs, written to the bucket now and then and at its end.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vico::clock::Timestamp;
use vico::ids::{Attempt, JobKey, WorkerId};
use vico::status::LogLine;
use vico::store::{self, Store};

/// How often growing logs are written to the bucket.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// Lines kept of one attempt; the oldest go first.
const KEPT_LINES: usize = 20_000;
/// Longer lines are cut.
const LINE_BYTES: usize = 4096;

/// A job's attempt.
pub(crate) type AttemptId = (JobKey, Attempt);

/// The logs of the attempts that run, and of those that ended a moment ago.
#[derive(Debug, Default)]
pub(crate) struct LogBook(Mutex<BTreeMap<AttemptId, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    lines: VecDeque<(Timestamp, String)>,
    dropped: u64,
    /// Lines were added since the last write.
    dirty: bool,
    /// The attempt has ended.
    closed: bool,
    /// What an earlier process wrote of this attempt has been taken in.
    joined: bool,
}

impl LogBook {
    /// Adds lines to an attempt's log.
    pub(crate) fn append(&self, id: AttemptId, lines: &[String], at: Timestamp) {
        if lines.is_empty() {
            return;
        }
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = book.entry(id).or_default();
        // One line end too many would shift everything that is read back.
        let lines = lines
            .iter()
            .flat_map(|text| text.lines())
            .map(|line| (at, shortened(line)));
        entry.lines.extend(lines);
        while entry.lines.len() > KEPT_LINES {
            entry.lines.pop_front();
            entry.dropped += 1;
        }
        entry.dirty = true;
    }

    /// Notes that an attempt has ended: its log leaves memory once it is written.
    pub(crate) fn close(&self, id: AttemptId) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = book.get_mut(&id) {
            entry.closed = true;
        }
    }

    /// Everything an attempt wrote, from here or from the bucket.
    pub(crate) async fn read(
        &self,
        store: &Store,
        id: AttemptId,
        worker: &WorkerId,
    ) -> Result<Vec<LogLine>, store::Error> {
        let (known, joined) = self.known(id);
        let mut lines = known;
        if !joined {
            let text = store.log(id.0, id.1).await?.unwrap_or_default();
            let mut before: Vec<_> = text.lines().map(parse_line).collect();
            before.append(&mut lines);
            lines = before;
        }
        let line = |(at, text)| LogLine {
            at,
            attempt: id.1,
            worker: worker.clone(),
            text,
        };
        Ok(lines.into_iter().map(line).collect())
    }

    /// Writes logs until told to stop, and once more then.
    pub(crate) async fn run(&self, store: &Store, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = tokio::time::sleep(FLUSH_EVERY) => {}
                () = stop.cancelled() => {}
            }
            for id in self.due() {
                if let Err(error) = self.flush(store, id).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a log could not be written"
                    );
                }
            }
        }
    }

    fn known(&self, id: AttemptId) -> (Vec<(Timestamp, String)>, bool) {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match book.get(&id) {
            Some(entry) => (entry.lines.iter().cloned().collect(), entry.joined),
            None => (Vec::new(), false),
        }
    }

    fn due(&self) -> Vec<AttemptId> {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = book.iter().filter(|(_, entry)| entry.dirty || entry.closed);
        due.map(|(id, _)| *id).collect()
    }

    async fn flush(&self, store: &Store, id: AttemptId) -> Result<(), store::Error> {
        if !self.known(id).1 {
            let before = store.log(id.0, id.1).await?.unwrap_or_default();
            self.join(id, &before);
        }
        let Some(text) = self.text(id) else { return Ok(()) };
        let written = store.put_log(id.0, id.1, &text).await;
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = book.get_mut(&id) {
            entry.dirty |= written.is_err();
            if entry.closed && !entry.dirty {
                book.remove(&id);
            }
        }
        written
    }

    /// Takes in what an earlier process wrote of this attempt.
    fn join(&self, id: AttemptId, before: &str) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = book.get_mut(&id) {
            for line in before.lines().rev() {
                entry.lines.push_front(parse_line(line));
            }
            entry.joined = true;
        }
    }

    /// The text to be written; what is added from now on is for the next time.
    fn text(&self, id: AttemptId) -> Option<String> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = book.get_mut(&id)?;
        entry.dirty = false;
        let mut text = String::new();
        if let (1.., Some((at, _))) = (entry.dropped, entry.lines.front()) {
            _ = writeln!(text, "{at} ({} earlier lines were dropped)", entry.dropped);
        }
        for (at, line) in &entry.lines {
            _ = writeln!(text, "{at} {line}");
        }
        Some(text)
    }
}

/// `2026-01-31T12:00:00Z text`; a line without a time keeps its text.
fn parse_line(line: &str) -> (Timestamp, String) {
    let parsed = line.split_once(' ').and_then(|(at, text)| {
        let at = humantime::parse_rfc3339(at).ok()?;
        let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some((Timestamp(since.as_millis() as u64), text.to_owned()))
    });
    parsed.unwrap_or_else(|| (Timestamp(0), line.to_owned()))
}

fn shortened(line: &str) -> String {
    if line.len() <= LINE_BYTES {
        return line.to_owned();
    }
    let end = (0..=LINE_BYTES)
        .rev()
        .find(|&end| line.is_char_boundary(end))
        .unwrap_or(0);
    format!("{} …", &line[..end])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;
    use vico::digest::Digest;

    fn id() -> AttemptId {
        (JobKey(Digest::of(b"job")), Attempt(1))
    }

    fn worker() -> WorkerId {
        "w1".parse().unwrap()
    }

    async fn texts(book: &LogBook, store: &Store) -> Vec<String> {
        let lines = book.read(store, id(), &worker()).await.unwrap();
        lines.into_iter().map(|line| line.text).collect()
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
        let lines = book.read(&store, id(), &worker()).await.unwrap();
        assert_eq!(lines[0].at, Timestamp(5000));
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
        let lines: Vec<String> = (0..=KEPT_LINES).map(|n| n.to_string()).collect();
        book.append(id(), &lines, Timestamp(1000));
        book.close(id());
        book.flush(&store, id()).await.unwrap();
        let lines = texts(&book, &store).await;
        assert_eq!(lines[..2], ["(1 earlier lines were dropped)", "1"]);
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(shortened(&"ü".repeat(4096)).len(), LINE_BYTES + " …".len());
    }
}
