//! Taking over: the next free number becomes a claim of a higher epoch.

use super::super::listing::Object;
use super::super::objects::Objects;
use super::super::{Error, layout};
use super::segment::{self, HEADER, Header, Writer};
use super::snapshot;

/// An older coordinator may append while we claim; it can be unlucky for us a few times, not this often.
const ATTEMPTS: u32 = 1000;

/// Our epoch and the number of the segment that says so.
pub(super) struct Claim {
    pub(super) epoch: u64,
    pub(super) number: u64,
}

pub(super) async fn take(objects: &Objects, writer: &Writer) -> Result<Claim, Error> {
    let (mut newest, mut number) = end_of_log(objects).await?;
    for _ in 0..ATTEMPTS {
        let header = Header {
            epoch: newest + 1,
            number,
            frames: 0,
            writer: writer.clone(),
        };
        let claim = segment::encode(&header, &[])?;
        if objects.create(&layout::segment(number), &claim).await? {
            let epoch = header.epoch;
            return Ok(Claim { epoch, number });
        }
        let taken = segment::read(objects, number).await?;
        newest = newest.max(taken.header.map_or(0, |header| header.epoch));
        number += 1;
    }
    Err(Error::Unsafe {
        url: objects.url().to_owned(),
        reason: "another coordinator writes to it all the time".to_owned(),
    })
}

/// The highest epoch so far and the next free number.
async fn end_of_log(objects: &Objects) -> Result<(u64, u64), Error> {
    let segments = objects.list(layout::SEGMENTS).await?;
    let newest = snapshot::numbers(objects).await?.first().copied().unwrap_or(0);
    let last = segments
        .iter()
        .filter_map(|object| layout::number(&object.key))
        .max();
    let next = newest.max(last.unwrap_or(0)) + 1;
    Ok((highest_epoch(objects, &segments).await?, next))
}

/// Epochs never fall, so the last readable header has the highest. Claims stay, so there is one if there is anything.
async fn highest_epoch(objects: &Objects, segments: &[Object]) -> Result<u64, Error> {
    for object in segments
        .iter()
        .rev()
        .filter(|object| object.size >= HEADER as u64)
    {
        let Some(number) = layout::number(&object.key) else {
            continue;
        };
        match segment::read(objects, number).await {
            Ok(found) => {
                if let Some(header) = found.header {
                    return Ok(header.epoch);
                }
            }
            // An older coordinator has taken a snapshot and deleted it just now.
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(0)
}
