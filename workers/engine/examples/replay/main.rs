//! Recomputes every golden value of a reference set with the engine's public functions and compares.
//!
//! ```text
//! cargo run --release -p vico-engine --example replay -- --set workers/engine/tests/fixtures/parity
//! ```
//!
//! One line per item: name, largest absolute and relative difference, tolerance, `ok` or `MISS`. An item that cannot be
//! recomputed is a miss, with the reason; a `note` says where a set is not what its description says. The exit status is 1 if anything missed. Any set with the layout of the fixture
//! works, whatever its network sizes: everything is read from its configuration files and metadata.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

mod parity;

/// Recompute a set of reference values and compare.
#[derive(Parser)]
struct Args {
    /// The set's directory.
    #[arg(long)]
    set: PathBuf,
    /// Only items whose name starts with this, such as `vico_train` or `vico.forward`.
    #[arg(long)]
    only: Option<String>,
}

#[expect(clippy::print_stdout, reason = "the lines are what this program is for")]
fn main() -> ExitCode {
    let args = Args::parse();
    let lines = parity::replay(&args.set, args.only.as_deref());
    for line in &lines {
        println!("{line}");
    }
    let missed = lines.iter().filter(|line| !line.ok()).count();
    println!("{} items, {missed} missed", lines.len());
    ExitCode::from(u8::from(missed > 0 || lines.is_empty()))
}
