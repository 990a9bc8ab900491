//! `gc`: what nobody needs leaves the bucket.

use std::time::Duration;

use clap::Args;
use indicatif::HumanBytes;
use serde::Serialize;
use vico::clock::{Clock as _, SystemClock, Timestamp};
use vico::store::{Garbage, Journal, Unneeded};

use crate::cli::bucket::Bucket;
use crate::cli::exit::Result;
use crate::cli::output::{self, Output};

/// Deleted between two looks whether the bucket is still ours: far less than a standby's patience.
const BATCH: usize = 200;

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
            let writer = format!("gc of pid {} at {}", std::process::id(), SystemClock.now());
            let (mut journal, _) = Journal::open(&store, &writer).await?;
            let garbage = store.garbage(before).await?;
            for batch in garbage.unneeded.chunks(BATCH) {
                // An empty frame: fails if somebody has taken the bucket over, and keeps those who stand by from it.
                journal.append(&[bytes::Bytes::new()]).await?;
                store.delete_unneeded(batch).await?;
            }
            garbage
        } else {
            store.garbage(before).await?
        };
        Report::of(&garbage, self.delete).show(out)
    }
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
