//! `validate`: checks a manifest without a coordinator.

use std::path::PathBuf;

use clap::Args;

use crate::cli::exit::Result;
use crate::cli::manifest_file::ManifestFile;
use crate::cli::output;

/// Checks a manifest; every mistake is reported at once.
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// The manifest
    manifest: PathBuf,
    /// Print it with every default filled in
    #[arg(long)]
    show_defaults: bool,
}

impl Validate {
    pub(super) fn execute(self) -> Result {
        let file = ManifestFile::read(&self.manifest)?;
        let manifest = file.parse()?;
        if self.show_defaults {
            return output::text(&manifest.show_defaults());
        }
        output::line(format_args!("{} is valid", file.name))
    }
}
