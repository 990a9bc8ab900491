//! `doctor`: what is wrong, and what to do about it.

mod bucket;
mod coordinator;
mod finding;
#[cfg(feature = "local")]
mod machine;
mod manifest;

use std::path::PathBuf;

use clap::Args;
use vico::protocol::Connect;
use vico::store::Store;

use crate::cli::exit::{Error, Result};
use crate::cli::output::{self, Output};
use finding::Finding;

/// Looks at bucket, coordinator, workers, model files and GPUs, and says what to fix. Leaves nothing behind.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Also look at this bucket: rights, races, clock
    #[arg(long, env = "VICO_BUCKET", value_name = "URL")]
    bucket: Option<String>,
    /// Also look at the model files and inputs that this manifest names, as seen from this machine
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Ask no coordinator
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Doctor {
    pub(super) async fn execute(self, out: Output) -> Result {
        let findings = self.look().await;
        if out.is_json() {
            output::json(&findings)?;
        } else {
            output::table(finding::HEADER, findings.iter().map(Finding::row))?;
        }
        match findings.iter().filter(|finding| finding.is_bad()).count() {
            0 => Ok(()),
            1 => Err(unwell("1 check failed")),
            more => Err(unwell(&format!("{more} checks failed"))),
        }
    }

    async fn look(&self) -> Vec<Finding> {
        let mut findings = vec![Finding::works(
            "program",
            format!("version {}", env!("CARGO_PKG_VERSION")),
        )];
        let store = match &self.bucket {
            Some(url) => bucket::open(url, &mut findings).await,
            None => None,
        };
        if let Some(file) = &self.manifest {
            let store = store.unwrap_or_else(Store::in_memory);
            findings.push(manifest::look(file, &store).await);
        }
        if !self.offline {
            findings.extend(coordinator::look(&self.connect.target()).await);
        }
        #[cfg(feature = "local")]
        findings.extend(machine::look());
        findings
    }
}

fn unwell(what: &str) -> Error {
    Error::usage(what, "each line says what to do about it")
}
