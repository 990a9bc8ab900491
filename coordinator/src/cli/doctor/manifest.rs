//! Whether everything that a manifest names is where it says.

use std::path::Path;

use vico::store::Store;

use super::finding::Finding;
use crate::cli::exit::Result;
use crate::cli::manifest_file::ManifestFile;
use crate::cli::planning;

const CHECK: &str = "manifest";

/// Plans it, which reads and digests every model file.
pub(super) async fn look(path: &Path, store: &Store) -> Finding {
    match jobs(path, store).await {
        Ok(jobs) => Finding::works(CHECK, format!("models and inputs are there; {jobs} jobs")),
        Err(error) => {
            let hint = error.hint();
            let fix = hint
                .as_deref()
                .unwrap_or("correct the manifest, or put the files where it says");
            Finding::fails(CHECK, error.to_string(), fix)
        }
    }
}

async fn jobs(path: &Path, store: &Store) -> Result<usize> {
    let file = ManifestFile::read(path)?;
    Ok(planning::plan(&file, store).await?.jobs.len())
}
