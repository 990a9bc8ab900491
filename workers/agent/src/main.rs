//! The worker binary: arguments to [`vico_worker::Config`], signals to a stop, an error to words.
#![expect(clippy::print_stderr, reason = "the one place that speaks to the terminal")]

mod args;

use std::process::ExitCode;

use args::LogFormat;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use vico_worker::Config;

fn main() -> ExitCode {
    vico_worker::keep_freed_memory();
    let args = args::Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match args.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    match work(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn work(args: args::Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(traced(args));
    // An engine that is in the middle of something uninterruptible must not keep the process from leaving.
    runtime.shutdown_background();
    outcome
}

/// Works, and tells a collector of it if there is one.
#[cfg(feature = "otlp")]
async fn traced(mut args: args::Args) -> anyhow::Result<()> {
    use vico::traces::{Otlp, Service};
    let Some(endpoint) = args.traces.take() else {
        return until_asked_to_stop(args.into_config()?).await;
    };
    let config = args.into_config()?;
    let (name, instance) = ("vico-worker", config.name.as_str());
    let collector = Otlp::open(&endpoint, &Service { name, instance })?;
    let traces = collector.traces();
    let outcome = until_asked_to_stop(Config { traces, ..config }).await;
    collector.close().await;
    outcome
}

#[cfg(not(feature = "otlp"))]
async fn traced(args: args::Args) -> anyhow::Result<()> {
    until_asked_to_stop(args.into_config()?).await
}

async fn until_asked_to_stop(config: Config) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let worker = vico_worker::run(config, stop.clone());
    tokio::pin!(worker);
    tokio::select! {
        done = &mut worker => return done,
        _ = terminate.recv() => tracing::info!("asked to stop"),
        _ = interrupt.recv() => tracing::info!("interrupted"),
    }
    stop.cancel();
    worker.await
}
