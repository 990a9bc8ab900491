//! `vico-coord`: serves a bucket, or talks to a coordinator that does, or is a whole cluster in one process.
//!
//! Everything that is printed is printed by [`cli`]; everything that is decided is decided in the library.

mod cli;
#[cfg(feature = "local")]
mod local;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = cli::Args::parse();
    cli::execute(args)
}
