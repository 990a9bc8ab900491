//! Where tracing goes: stderr, so that stdout stays data.

use std::io;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::cli::Command;
use crate::cli::exit::{Error, Result};

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: a JSON object a line, with the fields of the event and of the job it is about.
    Json,
}

/// Starts logging as asked for, or as the command deserves.
pub(super) fn start(filter: Option<&str>, format: LogFormat, command: &Command) -> Result {
    let wanted = filter.unwrap_or_else(|| command.default_log());
    let filter = EnvFilter::try_new(with_audit(wanted, command)).map_err(|error| {
        Error::usage(
            format!("`{wanted}` is not a log filter: {error}"),
            "use a level such as `info`, or `module=level` pairs with commas between",
        )
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    Ok(())
}

/// A server keeps its audit trail, however quiet it is asked to be, unless the trail itself is spoken of.
fn with_audit(wanted: &str, command: &Command) -> String {
    match command {
        Command::Serve(_) if !wanted.contains("audit") => format!("{wanted},audit=info"),
        _ => wanted.to_owned(),
    }
}
