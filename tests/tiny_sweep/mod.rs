//! A sweep of the tiny models on a few photos, run to its end by the real program.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::processes::vico_coord;

/// Runs `manifest`, beside which it finds `photos/`, `model/`, `clip/` and `dino/`: the folder, and the results in it.
pub(crate) fn run(manifest: &str) -> (TempDir, PathBuf) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let fixtures = root.join("workers/engine/tests/fixtures/parity");
    for (from, name) in [
        (root.join("manifests/five-methods/images/duck_toy"), "photos"),
        (fixtures.join("tiny-sd"), "model"),
        (fixtures.join("metrics/clip"), "clip"),
        (fixtures.join("metrics/dino"), "dino"),
    ] {
        std::os::unix::fs::symlink(from, folder.path().join(name)).unwrap();
    }
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let [file, bucket, cache] = ["manifest.yaml", "bucket", "cache"].map(path);
    std::fs::write(&file, manifest).unwrap();
    let args = ["run", &file, "--bucket", &bucket, "--cache", &cache];
    vico_coord(&Vec::new(), &args).well();
    let sweeps = std::fs::read_dir(folder.path().join("bucket/results")).unwrap();
    let results = sweeps.map(|entry| entry.unwrap().path()).next().unwrap();
    (folder, results)
}
