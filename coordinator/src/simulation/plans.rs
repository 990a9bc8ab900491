//! What users submit: real plans of small manifests that share jobs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use vico::ids::JobKey;
use vico::protocol::ManifestText;
use vico::store::Store;

use crate::submit::{Prepared, prepare};

const MANIFESTS: [&str; 3] = [
    "name: one
methods:
  vico: {method: vico}
concepts:
  duck_toy: {images: duck_toy/, class: toy, init: duck}
  monster_toy: {images: monster_toy/, class: toy, init: monster}
matrix: {train_seed: [0, 1, 2]}",
    "name: two
methods:
  vico: {method: vico}
  dreambooth: {method: dreambooth}
concepts:
  duck_toy: {images: duck_toy/, class: toy, init: duck}",
    "name: three
methods:
  dreambooth: {method: dreambooth}
  base_model: {method: base_model}
concepts:
  monster_toy: {images: monster_toy/, class: toy, init: monster}
matrix: {train_seed: [0, 1]}",
];

const REST: &str = "
version: 1
base: {model: ../workers/engine/tests/fixtures/parity/tiny-sd}
storage: {inputs: five-methods/images}
prompt_sets: {one: {prompts: [\"a {} in the jungle\"]}}
sampling: {images_per_prompt: 2}
metrics: {protocols: []}
";

/// Planned once, outside of all simulations.
pub(super) fn plans() -> &'static [Prepared] {
    static PLANS: OnceLock<Vec<Prepared>> = OnceLock::new();
    PLANS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../manifests")
            .canonicalize()
            .unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let prepared = |manifest: &&str| {
            let text = ManifestText {
                bytes: format!("{manifest}{REST}").into_bytes(),
                origin: url::Url::from_directory_path(&folder).unwrap().to_string(),
                file_name: "simulated.yaml".to_owned(),
            };
            runtime.block_on(prepare(&Store::in_memory(), &text)).unwrap()
        };
        // A runtime cannot be made or left inside another.
        std::thread::scope(|scope| {
            scope
                .spawn(|| MANIFESTS.iter().map(prepared).collect())
                .join()
                .unwrap()
        })
    })
}

/// The names of what a job makes.
pub(super) fn outputs_of(job: JobKey) -> Vec<String> {
    static OUTPUTS: OnceLock<BTreeMap<JobKey, Vec<String>>> = OnceLock::new();
    let outputs = OUTPUTS.get_or_init(|| {
        let jobs = plans().iter().flat_map(|prepared| &prepared.plan.jobs);
        jobs.map(|(key, job)| (*key, job.spec.inputs.outputs().names().collect()))
            .collect()
    });
    outputs[&job].clone()
}
