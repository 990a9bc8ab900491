//! Log lines of attempts: kept here while an attempt runs, written to the bucket now and then and at its end.

mod lines;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use vico::clock::Timestamp;
use vico::ids::{Attempt, JobKey, WorkerId};
use vico::status::LogLine;
use vico::store::{self, Store};

use lines::Lines;

/// How often growing logs are written to the bucket.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// Logs written at a time.
const WRITES_IN_FLIGHT: usize = 16;
/// How long the last write of all logs may take.
const FAREWELL: Duration = Duration::from_secs(10);

/// A job's attempt.
pub(crate) type AttemptId = (JobKey, Attempt);

/// The logs of the attempts that run, and of those that ended a moment ago.
#[derive(Debug, Default)]
pub(crate) struct LogBook(Mutex<BTreeMap<AttemptId, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    lines: Lines,
    /// How often lines were added, and how often they had been by the last write: it may be broken off at any time.
    added: u64,
    written: u64,
    /// The attempt has ended.
    closed: bool,
    /// What an earlier process wrote of this attempt has been taken in.
    joined: bool,
}

/// A part of an attempt's log.
pub(crate) struct Part {
    pub(crate) lines: Vec<LogLine>,
    /// How many lines the attempt has written up to the end of these, kept or not.
    pub(crate) seen: u64,
}

/// Where the lines of an attempt are.
enum Place {
    /// All of them here.
    Here(Lines),
    /// These here, and in the bucket what an earlier process wrote before them.
    Both(Lines),
    /// All of them in the bucket.
    There,
}

impl LogBook {
    /// Adds lines to an attempt's log.
    pub(crate) fn append(&self, id: AttemptId, lines: &[String], at: Timestamp) {
        if lines.is_empty() {
            return;
        }
        let mut book = self.book();
        let entry = book.entry(id).or_default();
        // One line end too many would shift everything that is read back.
        for line in lines.iter().flat_map(|text| text.lines()) {
            entry.lines.push(at, line);
        }
        entry.added += 1;
    }

    /// Notes that an attempt has ended: its log leaves memory once it is written.
    pub(crate) fn close(&self, id: AttemptId) {
        if let Some(entry) = self.book().get_mut(&id) {
            entry.closed = true;
        }
    }

    /// Attempts that have written something and not ended.
    #[cfg(test)]
    pub(crate) fn open(&self) -> Vec<AttemptId> {
        let book = self.book();
        let open = book.iter().filter(|(_, entry)| !entry.closed);
        open.map(|(id, _)| *id).collect()
    }

    /// What an attempt wrote after its first `seen` lines, from here or from the bucket.
    pub(crate) async fn read(
        &self,
        store: &Store,
        (id, worker): (AttemptId, &WorkerId),
        seen: u64,
    ) -> Result<Part, store::Error> {
        let lines = self.lines(store, id).await?;
        let line = |(at, text)| LogLine {
            at,
            attempt: id.1,
            worker: worker.clone(),
            text,
        };
        Ok(Part {
            lines: lines.after(seen).into_iter().map(line).collect(),
            seen: lines.count().max(seen),
        })
    }

    async fn lines(&self, store: &Store, id: AttemptId) -> Result<Lines, store::Error> {
        loop {
            let was_there = match self.place(id) {
                Place::Here(lines) => return Ok(lines),
                Place::Both(_) => false,
                Place::There => true,
            };
            let text = store.log(id.0, id.1).await?.unwrap_or_default();
            // Meanwhile they may have been written, and must not be told twice.
            match self.place(id) {
                Place::Here(lines) => return Ok(lines),
                Place::Both(lines) => return Ok(Lines::parse(&text).followed_by(lines)),
                Place::There if was_there => return Ok(Lines::parse(&text)),
                Place::There => {}
            }
        }
    }

    fn place(&self, id: AttemptId) -> Place {
        match self.book().get(&id) {
            Some(entry) if entry.joined => Place::Here(entry.lines.clone()),
            Some(entry) => Place::Both(entry.lines.clone()),
            None => Place::There,
        }
    }

    fn book(&self) -> MutexGuard<'_, BTreeMap<AttemptId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes logs until told to stop, and once more then, as far as the bucket takes them within a while.
    pub(crate) async fn run(&self, store: &Store, stop: CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.flush_again_and_again(store) => {}
        }
        if timeout(FAREWELL, self.flush_all(store)).await.is_err() {
            tracing::warn!("the ends of some logs were not written: the bucket does not answer");
        }
    }

    async fn flush_again_and_again(&self, store: &Store) {
        loop {
            sleep(FLUSH_EVERY).await;
            self.flush_all(store).await;
        }
    }

    async fn flush_all(&self, store: &Store) {
        let each = |id| async move {
            if let Err(error) = self.flush(store, id).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "a log could not be written");
            }
        };
        stream::iter(self.due())
            .for_each_concurrent(WRITES_IN_FLIGHT, each)
            .await;
    }

    fn due(&self) -> Vec<AttemptId> {
        let book = self.book();
        let due = book.iter().filter(|(_, entry)| entry.is_dirty() || entry.closed);
        due.map(|(id, _)| *id).collect()
    }

    async fn flush(&self, store: &Store, id: AttemptId) -> Result<(), store::Error> {
        let is_joined = self.book().get(&id).is_some_and(|entry| entry.joined);
        if !is_joined {
            let before = store.log(id.0, id.1).await?.unwrap_or_default();
            self.join(id, &before);
        }
        let Some((text, added)) = self.text(id) else {
            return Ok(());
        };
        store.put_log(id.0, id.1, &text).await?;
        let mut book = self.book();
        if let Some(entry) = book.get_mut(&id) {
            entry.written = added;
            if entry.closed && !entry.is_dirty() {
                book.remove(&id);
            }
        }
        Ok(())
    }

    /// Takes in what an earlier process wrote of this attempt.
    fn join(&self, id: AttemptId, before: &str) {
        if let Some(entry) = self.book().get_mut(&id) {
            let these = std::mem::take(&mut entry.lines);
            entry.lines = Lines::parse(before).followed_by(these);
            entry.joined = true;
        }
    }

    /// The text to be written, and how often lines had been added by then.
    fn text(&self, id: AttemptId) -> Option<(String, u64)> {
        let book = self.book();
        let entry = book.get(&id)?;
        Some((entry.lines.to_string(), entry.added))
    }
}

impl Entry {
    /// Lines were added since the last write.
    fn is_dirty(&self) -> bool {
        self.added > self.written
    }
}
