//! Planning without a coordinator: the same pure planner over the same store code.

use std::collections::BTreeSet;
#[cfg(feature = "local")]
use std::sync::Arc;

use anyhow::Context as _;
use vico::ids::JobKey;
use vico::manifest::Origin;
#[cfg(feature = "local")]
use vico::plan::Need;
use vico::plan::{self, Plan};
#[cfg(feature = "local")]
use vico::spec::ModelSource;
use vico::store::{self, InputError, Store};

use crate::cli::exit::{Error, Result};
use crate::cli::manifest_file::ManifestFile;

/// The plan of a manifest over the files as they are now. Nothing is copied or written but digests of models.
pub(super) async fn plan(file: &ManifestFile, store: &Store) -> Result<Plan> {
    let (manifest, origin) = (file.parse()?, origin(file)?);
    let resolved = store.resolve(&plan::needs(&manifest, &origin)).await;
    let resolved = resolved.map_err(unusable)?;
    plan::expand(&manifest, &origin, &resolved).map_err(|errors| Error::Manifest(errors.to_string()))
}

/// The models that a manifest names; nothing else that it names is looked at.
#[cfg(feature = "local")]
pub(super) async fn models(file: &ManifestFile, store: &Store) -> Result<Vec<Arc<ModelSource>>> {
    let mut needs = plan::needs(&file.parse()?, &origin(file)?);
    needs.retain(|need| matches!(need, Need::Model { .. }));
    let resolved = store.resolve(&needs).await.map_err(unusable)?;
    Ok(resolved.models.into_values().collect())
}

/// What relative paths in the manifest start from.
fn origin(file: &ManifestFile) -> Result<Origin> {
    let origin = file.text()?.origin.parse();
    Ok(origin.context("the manifest's folder has no URL")?)
}

/// What the manifest names and is not there is the manifest's mistake.
fn unusable(error: InputError) -> Error {
    match error {
        InputError::Place(error @ store::Error::NotFound { .. }) => Error::usage(
            error.to_string(),
            "correct its place in the manifest; relative paths begin at the manifest's folder",
        ),
        InputError::Place(error) | InputError::Bucket(error) => error.into(),
    }
}

/// The jobs of a plan that have a receipt.
pub(super) async fn done(plan: &Plan, store: &Store) -> Result<BTreeSet<JobKey>> {
    let receipts = store.receipts(plan.jobs.keys().copied()).await?;
    Ok(receipts.into_keys().collect())
}
