//! The command line. One file per verb; only this module prints.
//!
//! Data goes to stdout, progress and remarks to stderr. Exit codes: 0 ok · 1 unexpected · 2 manifest or usage wrong ·
//! 3 ended with failed jobs · 4 cancelled · 5 coordinator not reachable · 6 timed out waiting · 130 Ctrl-C.

#[cfg(feature = "local")]
mod adapter_files;
mod bucket;
mod cancel;
mod completion;
mod describe;
mod diff;
mod doctor;
mod exit;
#[cfg(feature = "local")]
mod export;
mod gc;
#[cfg(feature = "local")]
mod import;
#[cfg(feature = "local")]
mod layout;
mod logging;
mod logs;
mod ls;
mod manifest_file;
mod output;
mod plan;
mod planning;
mod progress;
mod results;
mod retry;
#[cfg(feature = "local")]
mod room;
#[cfg(feature = "local")]
mod run;
mod schema;
#[cfg(feature = "local")]
mod score;
mod serve;
mod signals;
mod storage_check;
mod submit;
mod validate;
mod view;
mod wait;
mod watch;
mod workers;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use exit::Result;
use logging::LogFormat;
use output::{Format, Output};

/// Threads for what blocks. Nearly all of it waits for a disk or a name server, and a few dozen keep any disk busy; with more,
/// what is too much waits inside the kernel instead of here. Plans and tables are computed there too, of which the library
/// bounds how many at a time. None of it waits for another such thread, and no async thread waits for one. What may take for
/// ever has a thread of its own, as an engine does.
const BLOCKING_THREADS: usize = 64;

/// Runs personalisation methods for text-to-image models over concepts and prompts, and measures what comes out.
#[derive(Debug, Parser)]
#[command(name = "vico-coord", version, max_term_width = 110)]
#[command(
    after_help = "Exit codes: 0 ok · 1 unexpected · 2 manifest or usage wrong · 3 ended with failed jobs · \
4 cancelled · 5 coordinator not reachable · 6 timed out waiting · 130 Ctrl-C"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    /// How data is written to stdout
    #[arg(short, long, global = true, value_enum, default_value_t, env = "VICO_OUTPUT")]
    output: Format,
    /// Draw no progress on stderr
    #[arg(long, global = true)]
    no_progress: bool,
    /// What to log to stderr, e.g. `info` or `vico=debug`
    #[arg(long, global = true, env = "VICO_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// How log lines are written
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "VICO_LOG_FORMAT",
        value_name = "FORMAT"
    )]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a manifest here: coordinator and worker in one process, a folder as the bucket
    #[cfg(feature = "local")]
    Run(run::Run),
    /// Serve a bucket to users and workers
    Serve(serve::Serve),
    /// Hand a manifest to the coordinator
    Submit(submit::Submit),
    /// Check a manifest without a coordinator
    Validate(validate::Validate),
    /// Show what a manifest would run, and what is done already
    Plan(plan::Plan),
    /// Show which jobs two manifests share and what makes the others differ
    Diff(diff::Diff),
    /// List sweeps
    #[command(alias = "get")]
    Ls(ls::Ls),
    /// Show everything about a sweep or a job
    Describe(describe::Describe),
    /// Follow a sweep until it ends
    Watch(watch::Watch),
    /// Show what a job's attempts wrote
    Logs(logs::Logs),
    /// End a sweep; what is done stays done
    Cancel(cancel::Cancel),
    /// Make failed jobs of a sweep ready again
    Retry(retry::Retry),
    /// Show the leaderboard of a sweep, straight from the bucket
    Results(results::Results),
    /// Measure pictures in a folder, whatever tool made them
    #[cfg(feature = "local")]
    Score(score::Score),
    /// Write an adapter in another program's format
    #[cfg(feature = "local")]
    Export(export::Export),
    /// Make an adapter of another program's files
    #[cfg(feature = "local")]
    Import(import::Import),
    /// List workers; keep them from work, or send them away
    Workers(workers::Workers),
    /// Print the JSON Schema of manifests, for editors
    Schema,
    /// Print a completion script for a shell
    Completion(completion::Completion),
    /// Look at bucket, coordinator, workers, model files and GPUs, and say what to fix
    Doctor(doctor::Doctor),
    /// Delete what nobody needs from a bucket
    Gc(gc::Gc),
    /// Check that a bucket keeps the promises that the coordinator relies on
    StorageCheck(storage_check::StorageCheck),
}

/// Runs a command and says how it went.
pub(crate) fn execute(args: Args) -> ExitCode {
    let out = Output {
        format: args.output,
        progress: !args.no_progress,
    };
    match start(args, out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::report(&error);
            error.exit_code()
        }
    }
}

fn start(args: Args, out: Output) -> Result {
    // Before there are threads. A coordinator alone wants the contrary: see `serve`.
    #[cfg(feature = "local")]
    if matches!(args.command, Command::Run(_) | Command::Score(_)) {
        vico_worker::keep_freed_memory();
    }
    logging::start(args.log.as_deref(), args.log_format, &args.command)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .context("the runtime could not be started")?;
    let outcome = runtime.block_on(args.command.execute(out));
    // An engine that is in the middle of something must not keep the process from leaving.
    runtime.shutdown_background();
    outcome
}

impl Command {
    async fn execute(self, out: Output) -> Result {
        match self {
            #[cfg(feature = "local")]
            Self::Run(args) => args.execute(out).await,
            Self::Serve(args) => args.execute().await,
            Self::Submit(args) => args.execute(out).await,
            Self::Validate(args) => args.execute(),
            Self::Plan(args) => args.execute(out).await,
            Self::Diff(args) => args.execute(out).await,
            Self::Ls(args) => args.execute(out).await,
            Self::Describe(args) => args.execute(out).await,
            Self::Watch(args) => args.execute(out).await,
            Self::Logs(args) => args.execute(out).await,
            Self::Cancel(args) => args.execute(out).await,
            Self::Retry(args) => args.execute(out).await,
            Self::Results(args) => args.execute(out).await,
            #[cfg(feature = "local")]
            Self::Score(args) => args.execute(out).await,
            #[cfg(feature = "local")]
            Self::Export(args) => args.execute(out).await,
            #[cfg(feature = "local")]
            Self::Import(args) => args.execute(out).await,
            Self::Workers(args) => args.execute(out).await,
            Self::Schema => schema::print(),
            Self::Completion(args) => args.execute(),
            Self::Doctor(args) => args.execute(out).await,
            Self::Gc(args) => args.execute(out).await,
            Self::StorageCheck(args) => args.execute(out).await,
        }
    }

    /// A server's log is its output; a client's is noise until asked for.
    fn default_log(&self) -> &'static str {
        match self {
            Self::Serve(_) => "info",
            // The user is told of failed attempts by the progress.
            #[cfg(feature = "local")]
            Self::Run(_) => "error",
            _ => "warn",
        }
    }
}
