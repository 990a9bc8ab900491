//! `gc`: what nobody needs leaves the bucket.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use indicatif::HumanBytes;
use serde::Serialize;
use tokio::time::sleep;
use vico::clock::{Clock as _, SystemClock, Timestamp};
use vico::store::{self, Garbage, Journal, Store, Unneeded};

use crate::cli::bucket::Bucket;
use crate::cli::exit::Result;
use crate::cli::output::{self, Output};

/// Deleted between two looks whether the bucket is still ours.
const BATCH: usize = 200;
/// How long the journal may rest: those who stand by wait more than twice as long.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// What the bucket answers.
type Answer<T = ()> = std::result::Result<T, store::Error>;

/// Counts blobs that no receipt and no sweep names, and checkpoints of jobs that are done; deletes them if asked to
#[derive(Debug, Args)]
pub(super) struct Gc {
    #[command(flatten)]
    bucket: Bucket,
    /// Leave alone what was written more recently
    #[arg(long, default_value = "7d", value_parser = humantime::parse_duration, value_name = "AGE")]
    older_than: Duration,
    /// Delete it. The bucket is taken over meanwhile, so a coordinator that serves it ends; start it again afterwards
    #[arg(long)]
    delete: bool,
}

/// What was found, and whether it is gone.
#[derive(Serialize)]
struct Report {
    kept_blobs: u64,
    kept_bytes: u64,
    unneeded_objects: usize,
    unneeded_bytes: u64,
    deleted: bool,
}

impl Gc {
    pub(super) async fn execute(self, out: Output) -> Result {
        let store = self.bucket.open().await?;
        let age = u64::try_from(self.older_than.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp(SystemClock.now().0.saturating_sub(age));
        let garbage = if self.delete {
            delete(&store, before).await?
        } else {
            store.garbage(before).await?
        };
        Report::of(&garbage, self.delete).show(out)
    }
}

/// Deletes what nobody needs, in a bucket that is taken over for that.
async fn delete(store: &Store, before: Timestamp) -> Answer<Garbage> {
    let writer = format!("gc of pid {} at {}", std::process::id(), SystemClock.now());
    // What the journal holds is not needed here, and to read it would take a while.
    let (mut journal, _) = Journal::claim(store, &writer).await?;
    let garbage = while_beating(&mut journal, store.garbage(before)).await?;
    for batch in garbage.unneeded.chunks(BATCH) {
        beat(&mut journal).await?;
        while_beating(&mut journal, store.delete_unneeded(batch)).await?;
    }
    Ok(garbage)
}

/// Works, and rests as long as it is not known whether the bucket is still ours.
async fn while_beating<T>(journal: &mut Journal, work: impl Future<Output = Answer<T>>) -> Answer<T> {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = sleep(HEARTBEAT) => beat(journal).await?,
        }
    }
}

/// An empty frame: fails if somebody has taken the bucket over, and keeps those who stand by from it.
async fn beat(journal: &mut Journal) -> Answer {
    journal.append(&[Bytes::new()]).await
}

impl Report {
    fn of(garbage: &Garbage, deleted: bool) -> Self {
        Self {
            kept_blobs: garbage.kept,
            kept_bytes: garbage.kept_bytes,
            unneeded_objects: garbage.unneeded.len(),
            unneeded_bytes: garbage.unneeded.iter().map(|Unneeded { size, .. }| size).sum(),
            deleted,
        }
    }

    fn show(&self, out: Output) -> Result {
        if out.is_json() {
            return output::json(self);
        }
        let (unneeded, bytes) = (self.unneeded_objects, HumanBytes(self.unneeded_bytes));
        let done = match (self.deleted, unneeded) {
            (true, _) => "deleted",
            (false, 0) => "nothing to delete",
            (false, _) => "add --delete to delete them",
        };
        output::line(format_args!(
            "{unneeded} objects of {bytes} are needed by nobody: {done}"
        ))?;
        let (kept, bytes) = (self.kept_blobs, HumanBytes(self.kept_bytes));
        output::line(format_args!("{kept} blobs of {bytes} stay"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use std::sync::Arc;

    use vico::job::BlobRef;
    use vico::store::{Fate, FateOutcome, Lookout, SharedMemory, Weather};

    use super::*;

    /// After everything that is written here.
    const LATER: Timestamp = Timestamp(u64::MAX);
    /// Of those who stand by.
    const PATIENCE: Duration = Duration::from_secs(8);
    const SLOW: Duration = Duration::from_secs(20);

    /// A bucket that is slow, except for the journal.
    #[derive(Debug)]
    struct Large;

    impl Weather for Large {
        fn next(&self, key: &str, _is_write: bool) -> Fate {
            let is_journal = key.starts_with("state/");
            Fate {
                after: if is_journal { Duration::ZERO } else { SLOW },
                outcome: FateOutcome::Done,
            }
        }
    }

    /// With a blob that nobody needs.
    async fn large() -> (Store, BlobRef) {
        let store = SharedMemory::default().under(Arc::new(Large));
        let blob = store
            .put_blob(Bytes::from_static(b"half an image"))
            .await
            .unwrap();
        (store, blob)
    }

    /// Returns once nothing was written to the journal for as long as others have patience.
    async fn until_silence(store: &Store) {
        let mut lookout = Lookout::open(store).await.unwrap();
        sleep(PATIENCE).await;
        while lookout.look().await.unwrap() {
            sleep(PATIENCE).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_stand_by_wait() {
        let (store, blob) = large().await;
        tokio::select! {
            deleted = delete(&store, LATER) => assert_eq!(deleted.unwrap().unneeded.len(), 1),
            () = until_silence(&store) => panic!("nobody seems to be there"),
        }
        assert!(!store.has_blob(&blob).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_deleted_once_somebody_else_has_the_bucket() {
        let (store, blob) = large().await;
        let takes_over = async {
            // Jobs, sweeps and blobs have been listed by then, and the blob is about to go.
            sleep(SLOW * 3 + SLOW / 4).await;
            Journal::claim(&store, "another").await.unwrap();
        };
        let (deleted, ()) = tokio::join!(delete(&store, LATER), takes_over);
        assert!(matches!(deleted, Err(store::Error::Fenced { .. })), "{deleted:?}");
        assert!(store.has_blob(&blob).await.unwrap());
    }
}
