//! Command line and environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use vico::protocol::Connect;
use vico::traces::Traces;
use vico_worker::Config;

/// Takes jobs from a coordinator and computes them on this machine's GPU or CPU.
#[derive(Debug, Parser)]
#[command(name = "vico-worker", version)]
pub(crate) struct Args {
    #[command(flatten)]
    connect: Connect,
    /// URL of the bucket; by default the coordinator says where it is.
    #[arg(long, env = "VICO_BUCKET")]
    bucket: Option<String>,
    /// Folder of the local cache; one worker only may use it at a time.
    #[arg(long, env = "VICO_CACHE", default_value = "vico-cache")]
    cache: PathBuf,
    /// Size of the local cache: bytes, or with a unit such as 500MB or 20GiB.
    #[arg(long, env = "VICO_CACHE_SIZE", default_value = "20GiB", value_parser = bytes)]
    cache_size: u64,
    /// Jobs done at a time, each with models of its own in memory.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    slots: u32,
    /// Name, unique among the coordinator's workers; by default this machine's name and the process number.
    #[arg(long, env = "VICO_WORKER_NAME")]
    name: Option<String>,
    /// Serve /livez, /readyz and /metrics there, without encryption; they hold counts and no names.
    #[arg(long, env = "VICO_HTTP", value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// Tell an OpenTelemetry collector there how long the parts of jobs take (OTLP over gRPC, e.g. http://127.0.0.1:4317).
    #[cfg(feature = "otlp")]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub(crate) traces: Option<String>,
    /// How log lines are written.
    #[arg(long, value_enum, default_value_t, env = "VICO_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
    /// An attempt whose engine does no train step, denoise step or picture for so long has failed.
    #[arg(long, default_value_t = humantime::Duration::from(Config::DEFAULT_PATIENCE))]
    patience: humantime::Duration,
    /// How long jobs may take to save what they have when the worker is told to stop.
    #[arg(long, default_value_t = humantime::Duration::from(Config::DEFAULT_GRACE))]
    grace: humantime::Duration,
}

/// See `--log-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: a JSON object a line; `span` says which sweep, job, attempt and worker it is about.
    Json,
}

impl Args {
    pub(crate) fn into_config(self) -> anyhow::Result<Config> {
        let name = self.name.unwrap_or_else(default_name);
        Ok(Config {
            coordinator: self.connect.target(),
            bucket: self.bucket,
            cache: self.cache,
            cache_size: self.cache_size,
            slots: self.slots,
            name: name.parse().context("--name")?,
            http: self.http,
            traces: Traces::default(),
            patience: self.patience.into(),
            grace: self.grace.into(),
        })
    }
}

fn default_name() -> String {
    let host = std::env::var("HOSTNAME").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    let host = host.unwrap_or_default();
    let host = host.trim().trim_start_matches('.');
    let host = if host.is_empty() { "worker" } else { host };
    format!("{host}-{}", std::process::id())
}

/// Bytes with an optional unit: `500MB` are 500,000,000, `20GiB` are 20 · 2³⁰.
fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 9] = [
        ("", 1),
        ("B", 1),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ];
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| "it does not start with a whole number".to_owned())?;
    let (_, factor) = UNITS
        .into_iter()
        .find(|(name, _)| *name == unit.trim())
        .ok_or_else(|| format!("`{}` is no unit: use MB, GB, MiB or GiB", unit.trim()))?;
    number
        .checked_mul(factor)
        .ok_or_else(|| "it is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("20GiB"), Ok(20 << 30));
        assert_eq!(bytes("500 MB"), Ok(500_000_000));
        assert_eq!(bytes("17"), Ok(17));
        for wrong in ["", "GiB", "3 gigs", "99999999999TiB", "-1"] {
            assert!(bytes(wrong).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn the_default_name_can_be_an_id() {
        assert!(
            default_name().parse::<vico::ids::WorkerId>().is_ok(),
            "{}",
            default_name()
        );
    }

    #[test]
    fn spans_have_units_and_defaults() {
        let args = Args::parse_from(["vico-worker", "--grace", "1m 30s"]);
        assert_eq!(*args.patience, Config::DEFAULT_PATIENCE);
        assert_eq!(args.grace.as_secs(), 90);
    }

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }
}
