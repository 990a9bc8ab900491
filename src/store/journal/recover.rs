//! Reading the journal at a start: the latest sound snapshot, then every frame after it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::super::objects::Objects;
use super::super::{Error, layout};
use super::segment::{self, Segment};
use super::{Before, Tail, snapshot};

/// An idle coordinator has left thousands of segments that say nothing, and each is a request.
const READS_IN_FLIGHT: usize = 64;
/// An older coordinator may delete what was just listed, when it takes a snapshot; not many times in a row.
const ATTEMPTS: u32 = 5;

/// What the journal holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The state to start from; `None` for an empty one.
    pub snapshot: Option<Bytes>,
    /// The frames appended since, in order.
    pub events: Vec<Bytes>,
    /// What was damaged and left out, for people; empty if all was well.
    pub repairs: Vec<String>,
}

/// What a journal held when it was claimed. Nobody can append there any more.
#[derive(Debug)]
pub struct Past {
    objects: Objects,
    /// The claim's number.
    end: u64,
    /// What was found, for the journal.
    before: Arc<OnceLock<Before>>,
}

impl Past {
    pub(super) fn new(objects: Objects, end: u64, before: Arc<OnceLock<Before>>) -> Self {
        Self { objects, end, before }
    }

    /// Reads all of it.
    pub async fn read(self) -> Result<Recovered, Error> {
        let (recovered, before) = read(&self.objects, self.end).await?;
        _ = self.before.set(before);
        Ok(recovered)
    }
}

async fn read(objects: &Objects, end: u64) -> Result<(Recovered, Before), Error> {
    let mut gone = String::new();
    for _ in 0..ATTEMPTS {
        match read_once(objects, end).await {
            Err(Error::NotFound { what }) => gone = what,
            other => return other,
        }
    }
    Err(Error::corrupt(&gone, "the journal needs it and it is gone"))
}

async fn read_once(objects: &Objects, end: u64) -> Result<(Recovered, Before), Error> {
    let mut recovered = Recovered::default();
    let (mut tail, mut damaged) = (Tail::default(), Vec::new());
    if let Some((number, state)) = latest_snapshot(objects, &mut recovered.repairs, &mut damaged).await? {
        tail.snapshot = number;
        tail.snapshot_bytes = state.len() as u64;
        recovered.snapshot = Some(state);
    }
    let segments: Vec<(u64, Segment)> = stream::iter(tail.snapshot + 1..end)
        .map(async |number| {
            let segment = segment::read(objects, number).await?;
            Ok::<_, Error>((number, segment))
        })
        .buffered(READS_IN_FLIGHT)
        .try_collect()
        .await?;
    tail.segments = segments.len() as u64;
    for (at, (number, segment)) in segments.iter().enumerate() {
        let later = segments[at + 1..].iter().map(|(_, later)| later);
        if let Some(note) = check(*number, segment, later)? {
            recovered.repairs.push(note);
        }
        tail.bytes += segment.frames.iter().map(|frame| frame.len() as u64).sum::<u64>();
    }
    recovered.events = segments
        .into_iter()
        .flat_map(|(_, segment)| segment.frames)
        .collect();
    Ok((recovered, Before { tail, damaged }))
}

async fn latest_snapshot(
    objects: &Objects,
    repairs: &mut Vec<String>,
    damaged: &mut Vec<u64>,
) -> Result<Option<(u64, Bytes)>, Error> {
    for number in snapshot::numbers(objects).await? {
        match snapshot::read(objects, number).await {
            Ok(state) => return Ok(Some((number, state))),
            Err(error @ Error::Corrupt { .. }) => {
                repairs.push(format!("{error}; an earlier one was used"));
                damaged.push(number);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// A note if the segment is torn and may be: its epoch ended with it, so the append that wrote it was never answered.
/// What ended it is a claim, and claims can be torn as well: until there is a whole one, they are shorter than a header.
fn check<'a>(
    number: u64,
    segment: &Segment,
    mut later: impl Iterator<Item = &'a Segment>,
) -> Result<Option<String>, Error> {
    let Some(offset) = segment.torn_at else {
        return Ok(None);
    };
    let key = layout::segment(number);
    let is_torn_claim = |later: &Segment| later.header.is_none() && later.is_cut_short;
    let next = if segment.is_cut_short {
        later.find(|later| !is_torn_claim(later))
    } else {
        later.next()
    };
    if next.is_none_or(Segment::is_claim) {
        return Ok(Some(format!(
            "{key} is torn at byte {offset}; {} whole frames before it were kept",
            segment.frames.len()
        )));
    }
    let reason = format!("it is damaged at byte {offset}, and later segments build on it");
    Err(Error::corrupt(&key, reason))
}
