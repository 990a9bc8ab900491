//! Where tracing goes: stderr, so that stdout stays data.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::cli::Command;
use crate::cli::exit::{Error, Result};

/// Starts logging as asked for, or as the command deserves.
pub(super) fn start(filter: Option<&str>, command: &Command) -> Result {
    let wanted = filter.unwrap_or_else(|| command.default_log());
    let filter = EnvFilter::try_new(wanted).map_err(|error| {
        Error::usage(
            format!("`{wanted}` is not a log filter: {error}"),
            "use a level such as `info`, or `module=level` pairs with commas between",
        )
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    Ok(())
}
