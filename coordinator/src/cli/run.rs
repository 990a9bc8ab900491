//! `run`: a manifest from start to end in this process.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use vico::digest::Digest;
use vico::job::JobState;
use vico::protocol::SweepsClient;
use vico::status::{StageStatus, SweepState, SweepStatus};
use vico::store::Store;

use crate::cli::bucket::Bucket;
use crate::cli::exit::{Error, Result};
use crate::cli::manifest_file::ManifestFile;
use crate::cli::output::{self, Output};
use crate::cli::progress::Display;
use crate::cli::{planning, results, room, signals, wait};
use crate::local::{Cluster, WorkerSettings};

/// Runs a manifest with a coordinator and a worker in one process. What is done already is not done again.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The manifest
    manifest: PathBuf,
    #[command(flatten)]
    bucket: Bucket,
    /// Folder of the worker's cache [default: vico/<bucket> in the user's cache folder]
    #[arg(long, env = "VICO_CACHE")]
    cache: Option<PathBuf>,
    /// GiB that the cache may hold
    #[arg(long, default_value_t = 20, value_name = "GIB")]
    cache_size: u64,
    /// Jobs done at a time, each with models of its own in memory [default: 1 on a GPU; else as many as there are cores and
    /// memory for]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    slots: Option<u32>,
}

impl Run {
    pub(super) async fn execute(self, out: Output) -> Result {
        let file = ManifestFile::read(&self.manifest)?;
        // Mistakes are told here, before anything is started.
        file.parse()?;
        let store = self.bucket.open().await?;
        let slots = match self.slots {
            Some(slots) => slots,
            None => room::slots(&planning::models(&file, &store).await?),
        };
        let mut cluster = Cluster::start(&store, self.worker(&store, slots)?).await?;
        let client = SweepsClient::new(cluster.url())?;
        let ended = tokio::select! {
            ended = to_the_end(&client, &file, out) => ended,
            error = cluster.broken() => Err(error.into()),
            () = signals::stop_asked() => {
                output::note("stopping; training in progress is saved (once more to stop at once)");
                Err(Error::Interrupted("what is done is kept, and the same command goes on from there"))
            }
        };
        tokio::select! {
            stopped = cluster.stop() => if ended.is_ok() { stopped? },
            () = signals::stop_asked() => {}
        }
        let last = ended?;
        if let Some(board) = results::published(&store, &last.sweep).await? {
            results::show(out, &store, &board)?;
        }
        wait::verdict(&last)
    }

    fn worker(&self, store: &Store, slots: u32) -> Result<WorkerSettings> {
        let cache = match &self.cache {
            Some(cache) => cache.clone(),
            None => user_cache()
                .join("vico")
                .join(Digest::of(store.url().as_bytes()).short()),
        };
        let cache_size = self.cache_size.checked_mul(1 << 30);
        let cache_size =
            cache_size.ok_or_else(|| anyhow!("--cache-size {} is too large", self.cache_size))?;
        Ok(WorkerSettings {
            cache,
            cache_size,
            slots,
        })
    }
}

/// `$XDG_CACHE_HOME`, or `~/.cache`, or where temporary files go.
fn user_cache() -> PathBuf {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = || set("HOME").map(|home| home.join(".cache"));
    set("XDG_CACHE_HOME")
        .or_else(home)
        .unwrap_or_else(std::env::temp_dir)
}

/// Submits, follows, and says what became of it.
async fn to_the_end(client: &SweepsClient, file: &ManifestFile, out: Output) -> Result<SweepStatus> {
    let submitted = client.submit(file.text()?).await?.status;
    let sweep = &submitted.sweep;
    let mut display = Display::new(out);
    match submitted.state {
        SweepState::Succeeded => {
            display = Display::Silent;
            let jobs = submitted.total(StageStatus::jobs);
            output::note(format_args!(
                "{sweep}: nothing to do, all {jobs} jobs were already done"
            ));
        }
        SweepState::Failed | SweepState::Cancelled => {
            output::note(format_args!("{sweep} {} before; trying again", submitted.state));
            client.retry(sweep, None).await?;
        }
        SweepState::Running => {}
    }
    let last = wait::until_end(client, sweep, &mut display).await?;
    if last.state == SweepState::Failed {
        tell_failures(client, &last).await?;
    }
    Ok(last)
}

/// What failed and why, while there is still a coordinator to ask.
async fn tell_failures(client: &SweepsClient, status: &SweepStatus) -> Result {
    let detail = client.describe_sweep(&status.sweep).await?;
    for job in detail.jobs.iter().filter(|job| job.state == JobState::Failed) {
        output::note(format_args!(
            "failed: {}: {}",
            job.label,
            job.reason.as_deref().unwrap_or("no reason given")
        ));
    }
    Ok(())
}
