//! Planning without a coordinator: the same pure planner over the same store code.

use std::collections::BTreeSet;

use anyhow::Context as _;
use vico::ids::JobKey;
use vico::manifest::Origin;
use vico::plan::{self, Plan};
use vico::store::{self, Store};

use crate::cli::exit::{Error, Result};
use crate::cli::manifest_file::ManifestFile;

/// The plan of a manifest over the files as they are now. Nothing is copied or written but digests of models.
pub(super) async fn plan(file: &ManifestFile, store: &Store) -> Result<Plan> {
    let manifest = file.parse()?;
    let origin: Origin = file
        .text()?
        .origin
        .parse()
        .context("the manifest's folder has no URL")?;
    let resolved = store.resolve(&plan::needs(&manifest, &origin)).await;
    let resolved = resolved.map_err(unusable)?;
    plan::expand(&manifest, &origin, &resolved).map_err(|errors| Error::Manifest(errors.to_string()))
}

/// What the manifest names and is not there is the manifest's mistake.
fn unusable(error: store::Error) -> Error {
    match error {
        store::Error::NotFound { .. } => Error::usage(
            error.to_string(),
            "correct its place in the manifest; relative paths begin at the manifest's folder",
        ),
        other => other.into(),
    }
}

/// The jobs of a plan that have a receipt.
pub(super) async fn done(plan: &Plan, store: &Store) -> Result<BTreeSet<JobKey>> {
    let receipts = store.receipts(plan.jobs.keys().copied()).await?;
    Ok(receipts.into_keys().collect())
}
