//! Log lines of attempts: kept here while an attempt runs, written to the bucket now and then and at its end.

mod lines;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vico::clock::Timestamp;
use vico::ids::{Attempt, JobKey, WorkerId};
use vico::status::LogLine;
use vico::store::{self, Store};

use lines::Lines;

/// How often growing logs are written to the bucket.
const FLUSH_EVERY: Duration = Duration::from_secs(5);

/// A job's attempt.
pub(crate) type AttemptId = (JobKey, Attempt);

/// The logs of the attempts that run, and of those that ended a moment ago.
#[derive(Debug, Default)]
pub(crate) struct LogBook(Mutex<BTreeMap<AttemptId, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    lines: Lines,
    /// Lines were added since the last write.
    dirty: bool,
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
        entry.dirty = true;
    }

    /// Notes that an attempt has ended: its log leaves memory once it is written.
    pub(crate) fn close(&self, id: AttemptId) {
        if let Some(entry) = self.book().get_mut(&id) {
            entry.closed = true;
        }
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

    fn due(&self) -> Vec<AttemptId> {
        let book = self.book();
        let due = book.iter().filter(|(_, entry)| entry.dirty || entry.closed);
        due.map(|(id, _)| *id).collect()
    }

    async fn flush(&self, store: &Store, id: AttemptId) -> Result<(), store::Error> {
        let is_joined = self.book().get(&id).is_some_and(|entry| entry.joined);
        if !is_joined {
            let before = store.log(id.0, id.1).await?.unwrap_or_default();
            self.join(id, &before);
        }
        let Some(text) = self.text(id) else { return Ok(()) };
        let written = store.put_log(id.0, id.1, &text).await;
        let mut book = self.book();
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
        if let Some(entry) = self.book().get_mut(&id) {
            let these = std::mem::take(&mut entry.lines);
            entry.lines = Lines::parse(before).followed_by(these);
            entry.joined = true;
        }
    }

    /// The text to be written; what is added from now on is for the next time.
    fn text(&self, id: AttemptId) -> Option<String> {
        let mut book = self.book();
        let entry = book.get_mut(&id)?;
        entry.dirty = false;
        Some(entry.lines.to_string())
    }
}
