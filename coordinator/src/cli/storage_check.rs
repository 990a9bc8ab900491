//! `storage-check`: whether a bucket keeps its promises.

use clap::Args;
use vico::clock::SystemClock;
use vico::store::{self, Store};

use crate::cli::exit::{Error, Result};
use crate::cli::output::{self, Output};

/// Tries everything that vico needs of a bucket, races included, and cleans up behind itself.
#[derive(Debug, Args)]
pub(super) struct StorageCheck {
    /// The bucket: a folder, or s3://…, gs://…, az://… with credentials in the environment
    url: String,
}

impl StorageCheck {
    pub(super) async fn execute(self, out: Output) -> Result {
        let store = Store::open(&self.url).await?;
        let report = store::storage_check(&store, &SystemClock).await?;
        if out.is_json() {
            output::json(&report)?;
        } else {
            let rows = report.checks.iter();
            let row = |check: &store::Check| {
                vec![
                    check.name.clone(),
                    check.outcome.as_str().to_owned(),
                    check.detail.clone(),
                ]
            };
            output::table(&["CHECK", "OUTCOME", "DETAIL"], rows.map(row))?;
        }
        if report.usable() {
            return Ok(());
        }
        Err(Error::usage(
            format!("{} cannot be used", report.url),
            "choose a bucket that passes every check",
        ))
    }
}
