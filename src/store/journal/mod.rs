//! The journal: what the coordinator decided, in numbered create-only segments of the bucket.
//!
//! One number is given once. A coordinator starts by *claiming* the next free number with a segment that holds nothing but a higher
//! epoch. An older coordinator that still believes itself in charge needs that very number for its next append, loses it, reads the
//! higher epoch there and steps down. That is all the fencing there is: no clock, no lock, no second kind of conditional write.
//! Claims are never deleted, so this holds however long the older one has slept.
//!
//! Whoever has claimed the journal may append to it before it has read it, and so shows that it is there.
//!
//! Frames are opaque bytes with length and CRC32C. A torn tail is cut and reported. Snapshots bound what must be read at the
//! next start; two are kept, and the segments since the older one.

mod claim;
mod lookout;
mod recover;
mod segment;
mod snapshot;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use claim::Claim;
pub use lookout::Lookout;
pub use recover::{Past, Recovered};
use segment::{Header, Writer};
pub use snapshot::{KeptSnapshot, NewSnapshot};

use super::objects::Objects;
use super::{Error, Store, layout};

/// How much a start may have to read besides a snapshot, before another one is worth it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongestTail {
    /// As long as that is more than the last snapshot has.
    pub bytes: u64,
    /// Each is a request.
    pub segments: u64,
}

impl Default for LongestTail {
    fn default() -> Self {
        Self {
            bytes: 32 << 20,
            segments: 4096,
        }
    }
}

/// The writing end. There is one a bucket; a second one fences the first.
#[derive(Debug)]
pub struct Journal {
    objects: Objects,
    writer: Writer,
    epoch: u64,
    /// The number of the next segment.
    next: u64,
    /// The segment of an append that did not succeed: it may be there or not.
    unsure: Option<Bytes>,
    /// Since the claim or the last snapshot.
    tail: Tail,
    /// Before the claim, once that has been read.
    before: Arc<OnceLock<Before>>,
    longest_tail: LongestTail,
}

/// What the next start would have to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tail {
    bytes: u64,
    segments: u64,
    /// The last snapshot's number and size, 0 where there is none.
    snapshot: u64,
    snapshot_bytes: u64,
}

/// What there was before the claim.
#[derive(Debug, Default)]
struct Before {
    tail: Tail,
    /// Snapshots that are damaged and were passed over.
    damaged: Vec<u64>,
}

impl Journal {
    /// Takes over the journal of a bucket and reads what it holds.
    ///
    /// `writer` must be unique to this start of this process (host, process id and time, say); whoever is fenced is shown it.
    pub async fn open(store: &Store, writer: &str) -> Result<(Self, Recovered), Error> {
        let (journal, past) = Self::claim(store, writer).await?;
        Ok((journal, past.read().await?))
    }

    /// As [`Journal::open`], but what it holds is read later: that can take longer than anybody watching would wait for a sign.
    pub async fn claim(store: &Store, writer: &str) -> Result<(Self, Past), Error> {
        let objects = store.objects.clone();
        let writer = Writer::new(writer);
        let claim = claim::take(&objects, &writer).await?;
        Ok(Self::claimed(objects, writer, claim))
    }

    /// As [`Journal::claim`], but only if nothing was appended since `lookout` looked last; `None` if something was.
    pub async fn succeed(
        store: &Store,
        writer: &str,
        lookout: &Lookout,
    ) -> Result<Option<(Self, Past)>, Error> {
        let objects = store.objects.clone();
        let writer = Writer::new(writer);
        let claim = claim::take_at(&objects, &writer, lookout.next()).await?;
        Ok(claim.map(|claim| Self::claimed(objects, writer, claim)))
    }

    fn claimed(objects: Objects, writer: Writer, claim: Claim) -> (Self, Past) {
        let before = Arc::default();
        let past = Past::new(objects.clone(), claim.number, Arc::clone(&before));
        let journal = Self {
            objects,
            writer,
            epoch: claim.epoch,
            next: claim.number + 1,
            unsure: None,
            tail: Tail::default(),
            before,
            longest_tail: LongestTail::default(),
        };
        (journal, past)
    }

    /// The same journal, which wants snapshots at other times.
    #[must_use]
    pub fn with_longest_tail(self, longest_tail: LongestTail) -> Self {
        Self { longest_tail, ..self }
    }

    /// The number of this coordinator's reign; every later one's is higher.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Makes `frames` durable, all or none, in order. When it returns they survive anything.
    ///
    /// After an error it is not known whether they did. The way on is to append the very same frames again, as often as it takes:
    /// they are the same segment, which is written once. Other frames are refused. To claim the journal again would be no way on: it
    /// would fence a coordinator that has taken over meanwhile. [`Error::Fenced`] says that there is one.
    pub async fn append(&mut self, frames: &[Bytes]) -> Result<(), Error> {
        if frames.is_empty() {
            return Ok(());
        }
        let bytes = segment::encode(&self.header(frames.len()), frames)?;
        if self.unsure.as_ref().is_some_and(|unsure| *unsure != bytes) {
            return Err(Error::JournalBroken);
        }
        let key = layout::segment(self.next);
        // Set before and not after: this future may be dropped while the write is under way.
        self.unsure = Some(bytes.clone());
        if !self.objects.create(&key, &bytes).await? {
            return Err(self.who_took(&key).await);
        }
        self.unsure = None;
        self.next += 1;
        self.tail.bytes += bytes.len() as u64;
        self.tail.segments += 1;
        Ok(())
    }

    /// Whether a snapshot would now shorten the next start.
    pub fn wants_snapshot(&self) -> bool {
        let before = self.before.get().map(|before| before.tail).unwrap_or_default();
        let last = self.tail.snapshot_bytes.max(before.snapshot_bytes);
        let LongestTail { bytes, segments } = self.longest_tail;
        self.tail.bytes + before.bytes > bytes.max(last) || self.tail.segments + before.segments >= segments
    }

    /// A snapshot of `state`, which must be what all frames appended so far amount to. It is written beside further appends, and
    /// there should be one at a time. `None` if nothing was appended since the last one.
    pub fn begin_snapshot(&self, state: Bytes) -> Result<Option<NewSnapshot>, Error> {
        if self.unsure.is_some() {
            return Err(Error::JournalBroken);
        }
        let number = self.next - 1;
        Ok((number != self.tail.snapshot).then(|| NewSnapshot {
            objects: self.objects.clone(),
            epoch: self.epoch,
            number,
            state,
            covered: self.tail,
            damaged: self.damaged(),
        }))
    }

    /// Takes note of a snapshot that is there: the next start reads no more than what was appended since it was begun.
    pub fn end_snapshot(&mut self, kept: &KeptSnapshot) {
        self.tail = Tail {
            bytes: self.tail.bytes.saturating_sub(kept.covered.bytes),
            segments: self.tail.segments.saturating_sub(kept.covered.segments),
            snapshot: kept.number,
            snapshot_bytes: kept.size,
        };
        self.before = Arc::default();
    }

    /// Asked for until there is a snapshot of our own: it is newer than they are, and so is whatever comes after it.
    fn damaged(&self) -> Vec<u64> {
        let before = self.before.get();
        before.map(|before| before.damaged.clone()).unwrap_or_default()
    }

    fn header(&self, frames: usize) -> Header {
        Header {
            epoch: self.epoch,
            number: self.next,
            frames: frames as u32,
            writer: self.writer.clone(),
        }
    }

    /// Why our number is somebody else's.
    async fn who_took(&self, key: &str) -> Error {
        let found = match segment::read(&self.objects, self.next).await {
            Ok(found) => found.header,
            Err(error) => return error,
        };
        match found {
            Some(header) if header.epoch > self.epoch => Error::Fenced {
                epoch: header.epoch,
                by: header.writer.label,
                own: self.epoch,
            },
            _ => Error::corrupt(key, "it was written by somebody who had not claimed the journal"),
        }
    }
}
