//! Taking over: the next free number becomes a claim of a higher epoch.

use super::super::listing::Object;
use super::super::objects::Objects;
use super::super::{Error, layout};
use super::segment::{self, HEADER, Header, Writer};
use super::snapshot;

/// An older coordinator may append while we claim; it can be unlucky for us a few times, not this often.
const ATTEMPTS: u32 = 1000;

/// Our epoch and the number of the segment that says so.
#[derive(Clone, Copy)]
pub(super) struct Claim {
    pub(super) epoch: u64,
    pub(super) number: u64,
}

/// Claims whatever number is free, however busy an older coordinator is.
pub(super) async fn take(objects: &Objects, writer: &Writer) -> Result<Claim, Error> {
    for _ in 0..ATTEMPTS {
        let (newest, number) = end_of_log(objects).await?;
        if let Some(claim) = try_at(objects, writer, (newest + 1, number)).await? {
            return Ok(claim);
        }
    }
    Err(Error::Unsafe {
        url: objects.url().to_owned(),
        reason: "another coordinator writes to it all the time".to_owned(),
    })
}

/// Claims `number` if the journal still ends before it; `None` if somebody was quicker.
pub(super) async fn take_at(objects: &Objects, writer: &Writer, number: u64) -> Result<Option<Claim>, Error> {
    match end_of_log(objects).await? {
        (newest, next) if next == number => try_at(objects, writer, (newest + 1, number)).await,
        _ => Ok(None),
    }
}

async fn try_at(
    objects: &Objects,
    writer: &Writer,
    (epoch, number): (u64, u64),
) -> Result<Option<Claim>, Error> {
    let header = Header {
        epoch,
        number,
        frames: 0,
        writer: writer.clone(),
    };
    let claim = segment::encode(&header, &[])?;
    if !objects.create(&layout::segment(number), &claim).await? {
        return Ok(None);
    }
    // Between looking and writing this process may have slept for hours, and an older coordinator may have come as far as to
    // delete that number's segment. Then the claim stands where nobody looks, and is none.
    let next = next_number(objects).await?;
    Ok((next == number + 1).then_some(Claim { epoch, number }))
}

/// The next free number.
pub(super) async fn next_number(objects: &Objects) -> Result<u64, Error> {
    number_after(objects, &objects.list(layout::SEGMENTS).await?).await
}

/// The highest epoch so far and the next free number.
async fn end_of_log(objects: &Objects) -> Result<(u64, u64), Error> {
    let segments = objects.list(layout::SEGMENTS).await?;
    let next = number_after(objects, &segments).await?;
    Ok((highest_epoch(objects, &segments).await?, next))
}

async fn number_after(objects: &Objects, segments: &[Object]) -> Result<u64, Error> {
    let newest = snapshot::numbers(objects).await?.first().copied().unwrap_or(0);
    let last = segments
        .iter()
        .filter_map(|object| layout::number(&object.key))
        .max();
    Ok(newest.max(last.unwrap_or(0)) + 1)
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
