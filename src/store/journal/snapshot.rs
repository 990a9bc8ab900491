//! Snapshots: the whole state after some segment, compressed. Create-only, like segments.
//!
//! ```text
//! "VS01" · epoch u64 · number u64 · size u64 · CRC32C of the state · CRC32C of all that · state (zstd)
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::super::objects::Objects;
use super::super::{Error, layout};
use super::Tail;
use super::segment::HEADER as CLAIM;

const MAGIC: &[u8; 4] = b"VS01";
const HEADER: usize = 4 + 8 + 8 + 8 + 4 + 4;
/// No state is larger; the size in a damaged header must not make us ask for all memory.
const MAX_STATE: u64 = 4 << 30;
const KEPT: usize = 2;
const LEVEL: i32 = 3;
const DELETES_IN_FLIGHT: usize = 16;

/// A snapshot to be written.
#[derive(Debug)]
pub struct NewSnapshot {
    pub(super) objects: Objects,
    pub(super) epoch: u64,
    /// The last segment that the state tells of. Later ones may be appended before it is there.
    pub(super) number: u64,
    pub(super) state: Bytes,
    /// What the journal has had appended so far.
    pub(super) covered: Tail,
    /// Earlier ones that no start can use.
    pub(super) damaged: Vec<u64>,
}

/// A snapshot that is there.
#[derive(Debug)]
pub struct KeptSnapshot {
    pub(super) number: u64,
    pub(super) size: u64,
    pub(super) covered: Tail,
}

impl NewSnapshot {
    /// Writes it, and deletes what it makes superfluous once it is durable.
    pub async fn write(self) -> Result<KeptSnapshot, Error> {
        let kept = KeptSnapshot {
            number: self.number,
            size: self.state.len() as u64,
            covered: self.covered,
        };
        write(&self.objects, self.epoch, self.number, self.state).await?;
        // What could not be deleted is deleted after the next snapshot.
        if let Err(error) = trim(&self.objects, &self.damaged).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "old journal segments stay"
            );
        }
        Ok(kept)
    }
}

/// Writes the state after segment `number`.
async fn write(objects: &Objects, epoch: u64, number: u64, state: Bytes) -> Result<(), Error> {
    let key = layout::snapshot(number);
    let size = state.len() as u64;
    if size > MAX_STATE {
        let limit = MAX_STATE;
        return Err(Error::TooLarge { key, size, limit });
    }
    let packed = in_background(move || encode(epoch, number, &state)).await;
    let packed = packed.map_err(|error| Error::io("compress", &key)(error))?;
    if objects.create(&key, &packed).await? {
        return Ok(());
    }
    // Written before by this very coordinator, from the same segments.
    read(objects, number).await.map(drop)
}

/// Reads and checks the state after segment `number`.
pub(super) async fn read(objects: &Objects, number: u64) -> Result<Bytes, Error> {
    let key = layout::snapshot(number);
    let packed = objects.get(&key, MAX_STATE).await?;
    let unpacked = in_background(move || Ok(decode(number, &packed))).await;
    let unpacked = unpacked.map_err(|error| Error::io("read", &key)(error))?;
    unpacked.map_err(|reason| Error::corrupt(&key, reason))
}

/// Numbers of the snapshots there are, newest first.
pub(super) async fn numbers(objects: &Objects) -> Result<Vec<u64>, Error> {
    let found = objects.list(layout::SNAPSHOTS).await?;
    let mut numbers: Vec<u64> = found
        .iter()
        .filter_map(|object| layout::number(&object.key))
        .collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    Ok(numbers)
}

/// Keeps the two newest snapshots, the segments after the older of them, and all claims. Those that are known to be damaged do
/// not count; they go like any other once two newer ones are there.
async fn trim(objects: &Objects, damaged: &[u64]) -> Result<(), Error> {
    let snapshots = numbers(objects).await?;
    let mut sound = snapshots.iter().filter(|number| !damaged.contains(number));
    let Some(&oldest_kept) = sound.nth(KEPT - 1) else {
        return Ok(());
    };
    let older = snapshots.iter().filter(|number| **number < oldest_kept);
    let mut doomed: Vec<String> = older.map(|number| layout::snapshot(*number)).collect();
    let segments = objects.list(layout::SEGMENTS).await?;
    let old = segments.into_iter().filter(|object| {
        let number = layout::number(&object.key);
        object.size > CLAIM as u64 && number.is_some_and(|number| number <= oldest_kept)
    });
    doomed.extend(old.map(|object| object.key));
    stream::iter(doomed)
        .map(async |key| objects.delete(&key).await)
        .buffer_unordered(DELETES_IN_FLIGHT)
        .try_collect()
        .await
}

fn encode(epoch: u64, number: u64, state: &[u8]) -> std::io::Result<Bytes> {
    let packed = zstd::bulk::compress(state, LEVEL)?;
    let mut out = BytesMut::with_capacity(HEADER + packed.len());
    out.put_slice(MAGIC);
    out.put_u64_le(epoch);
    out.put_u64_le(number);
    out.put_u64_le(state.len() as u64);
    out.put_u32_le(crc32c::crc32c(state));
    out.put_u32_le(crc32c::crc32c(&out));
    out.put_slice(&packed);
    Ok(out.freeze())
}

fn decode(number: u64, bytes: &[u8]) -> Result<Bytes, String> {
    let (covered, sum) = bytes.get(..HEADER).ok_or("it is too short")?.split_at(HEADER - 4);
    if !covered.starts_with(MAGIC) || crc32c::crc32c(covered).to_le_bytes() != sum {
        return Err("its header is damaged".to_owned());
    }
    let mut rest = &covered[MAGIC.len()..];
    let (_epoch, own, size, checksum) = (
        rest.get_u64_le(),
        rest.get_u64_le(),
        rest.get_u64_le(),
        rest.get_u32_le(),
    );
    if own != number || size > MAX_STATE {
        return Err(format!("it says to be number {own} with {size} bytes"));
    }
    let state = zstd::bulk::decompress(&bytes[HEADER..], size as usize).map_err(|error| error.to_string())?;
    if state.len() as u64 != size || crc32c::crc32c(&state) != checksum {
        return Err("its checksum is wrong".to_owned());
    }
    Ok(state.into())
}

/// Off the async threads: a large state takes a while. A runtime of one thread does it at once: simulations have such a one, and
/// when another thread is ready is no part of their seed.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return work();
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(std::io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn damage_anywhere_is_noticed(
            // Of an empty state nothing is missing when all of it is cut off.
            state in prop::collection::vec(any::<u8>(), 1..300),
            at in any::<prop::sample::Index>(),
            by in 1..=255u8,
        ) {
            let whole = encode(2, 9, &state).expect("compresses");
            let read = decode(9, &whole);
            prop_assert_eq!(read.as_deref(), Ok(state.as_slice()));
            prop_assert!(decode(8, &whole).is_err());
            let at = at.index(whole.len());
            let mut flipped = whole.to_vec();
            flipped[at] ^= by;
            // A flipped byte in the compressed part may not matter; wrong bytes must never come out.
            prop_assert!(decode(9, &flipped).map_or(true, |read| read == state));
            prop_assert!(decode(9, &whole[..at]).is_err());
        }
    }
}
