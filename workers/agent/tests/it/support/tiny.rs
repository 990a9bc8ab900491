//! The engine's tiny models with random weights, and photos.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vico::spec::{ImageInput, ModelInputs, ModelSource};
use vico_worker::engine::NamedBytes;

use super::bench::{Bench, model};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../engine/tests/fixtures/parity")
        .canonicalize()
        .unwrap()
}

const BASE_FILES: [&str; 10] = [
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/merges.txt",
    "tokenizer/vocab.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
];

/// A Stable Diffusion small enough for a test.
pub fn base() -> (ModelInputs, Arc<ModelSource>) {
    model(&fixtures().join("tiny-sd"), &BASE_FILES)
}

/// The same in `folder`, its weights as files of a variant alone.
pub fn base_of_variant(folder: &Path, variant: &str) -> (ModelInputs, Arc<ModelSource>) {
    let weights = format!(".{variant}.safetensors");
    let names = BASE_FILES.map(|name| name.replace(".safetensors", &weights));
    for (from, to) in BASE_FILES.iter().zip(&names) {
        let to = folder.join(to);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(fixtures().join("tiny-sd").join(from), to).unwrap();
    }
    model(folder, &names.each_ref().map(String::as_str))
}

/// A CLIP with its vocabulary beside it, as published ones have it.
pub fn clip(bench: &Bench) -> (ModelInputs, Arc<ModelSource>) {
    let folder = bench.dir.path().join("clip");
    std::fs::create_dir_all(&folder).unwrap();
    let parts = [
        ("metrics/clip", "config.json"),
        ("metrics/clip", "model.safetensors"),
        ("tiny-sd/tokenizer", "vocab.json"),
        ("tiny-sd/tokenizer", "merges.txt"),
    ];
    for (from, name) in parts {
        std::fs::copy(fixtures().join(from).join(name), folder.join(name)).unwrap();
    }
    model(&folder, &parts.map(|(_, name)| name))
}

/// A DINO.
pub fn dino() -> (ModelInputs, Arc<ModelSource>) {
    model(
        &fixtures().join("metrics/dino"),
        &["config.json", "model.safetensors"],
    )
}

/// LPIPS's network at its own size, there is no other, with weights of no meaning.
pub fn lpips(bench: &Bench) -> (ModelInputs, Arc<ModelSource>) {
    let shapes = std::fs::read(fixtures().join("../lpips/shapes.json")).unwrap();
    let shapes = serde_json::from_slice(&shapes).unwrap();
    let folder = bench.dir.path().join("lpips");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("model.safetensors"), waves(&shapes)).unwrap();
    model(&folder, &["model.safetensors"])
}

/// A safetensors file of small positive and, but for LPIPS's counts, negative numbers.
fn waves(shapes: &BTreeMap<String, Vec<usize>>) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape) in shapes {
        let start = data.len();
        for number in 0..shape.iter().product::<usize>() {
            let wave = (number as f32).sin() / 20.0;
            let value = if name.starts_with("lin") { wave.abs() } else { wave };
            data.extend(value.to_le_bytes());
        }
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]});
        header.insert(name.clone(), entry);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(data);
    file
}

/// Three photos.
pub fn photo_files() -> Vec<NamedBytes> {
    let read = |number| {
        let name = format!("{number}.png");
        let bytes = std::fs::read(fixtures().join("metrics/photos").join(&name)).unwrap();
        NamedBytes { name, bytes }
    };
    (0..3).map(read).collect()
}

/// The same in the bucket.
pub async fn photos(bench: &Bench) -> Vec<ImageInput> {
    let mut images = Vec::new();
    for NamedBytes { name, bytes } in photo_files() {
        let digest = bench.store.put_blob(bytes.into()).await.unwrap().digest;
        images.push(ImageInput { name, digest });
    }
    images
}
