//! `submit`: hands a manifest to the coordinator.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use vico::protocol::Connect;

use crate::cli::exit::Result;
use crate::cli::manifest_file::ManifestFile;
use crate::cli::output::{self, Output};
use crate::cli::{view, wait};

/// Plans a manifest and starts it. Submitting the same manifest again joins the sweep that is there.
#[derive(Debug, Args)]
pub(super) struct Submit {
    /// The manifest
    manifest: PathBuf,
    /// Follow the sweep until it ends
    #[arg(long)]
    watch: bool,
    /// With --watch: stop waiting after this long
    #[arg(long, value_parser = humantime::parse_duration, requires = "watch")]
    timeout: Option<Duration>,
    #[command(flatten)]
    connect: Connect,
}

impl Submit {
    pub(super) async fn execute(self, out: Output) -> Result {
        let file = ManifestFile::read(&self.manifest)?;
        // Mistakes are told here, before anyone is asked.
        file.parse()?;
        let client = self.connect.client()?;
        let submitted = client.submit(file.text()?).await?;
        if submitted.joined {
            output::note(format_args!(
                "{} was submitted before; joined it",
                submitted.status.sweep
            ));
        }
        if !self.watch {
            return view::status(out, &submitted.status);
        }
        let last = wait::follow(&client, &submitted.status.sweep, self.timeout, out).await?;
        view::status(out, &last)?;
        wait::verdict(&last)
    }
}
