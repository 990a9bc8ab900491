//! Models: which files of a folder are theirs, and what is missing.

use std::path::Path;

use tempfile::TempDir;
use vico::digest::Digest;
use vico::plan::{ModelRole, Need};
use vico::store::Store;

const BASE: [&str; 9] = [
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
    "scheduler/scheduler_config.json",
];

fn write(folder: &Path, path: &str, text: &str) {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

fn model(folder: &TempDir, role: ModelRole, variant: Option<&str>) -> Need {
    Need::Model {
        url: folder.path().to_str().unwrap().to_owned(),
        role,
        variant: variant.map(str::to_owned),
    }
}

#[tokio::test]
async fn a_model_is_the_files_that_are_read() {
    let folder = TempDir::new().unwrap();
    for path in BASE {
        write(folder.path(), path, path);
    }
    write(folder.path(), "safety_checker/model.safetensors", "not used");
    write(folder.path(), "unet/diffusion_pytorch_model.bin", "not used");
    let store = Store::in_memory();
    let need = model(&folder, ModelRole::Base, None);
    let source = store.resolve(std::slice::from_ref(&need)).await.unwrap().models[&need].clone();
    let mut expected = BASE.to_vec();
    expected.sort_unstable();
    assert_eq!(
        source
            .files
            .iter()
            .map(|file| file.path.as_str())
            .collect::<Vec<_>>(),
        expected
    );
    assert_eq!(source.files[0].digest, Digest::of(expected[0].as_bytes()));
    // Digests are remembered, but not beyond a change.
    write(folder.path(), "vae/config.json", "another, and longer");
    let changed = store.resolve(std::slice::from_ref(&need)).await.unwrap().models[&need].clone();
    assert_ne!(changed.identity().unwrap(), source.identity().unwrap());
}

#[tokio::test]
async fn every_missing_file_of_a_model_is_named() {
    let folder = TempDir::new().unwrap();
    for path in BASE
        .iter()
        .filter(|path| !path.starts_with("vae/") && !path.ends_with("merges.txt"))
    {
        write(folder.path(), path, path);
    }
    let need = model(&folder, ModelRole::Base, None);
    let said = Store::in_memory().resolve(&[need]).await.unwrap_err().to_string();
    for path in [
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
        "tokenizer/merges.txt",
    ] {
        assert!(said.contains(&format!("{path}` is missing")), "{said}");
    }
    assert!(!said.contains("unet"), "{said}");
    let need = model(&folder, ModelRole::Base, Some("fp16"));
    let said = Store::in_memory().resolve(&[need]).await.unwrap_err().to_string();
    assert!(
        said.contains("unet/diffusion_pytorch_model.fp16.safetensors` is missing"),
        "{said}"
    );
}

#[tokio::test]
async fn shards_are_followed_and_cannot_lead_out() {
    let folder = TempDir::new().unwrap();
    let index = |name: &str| format!(r#"{{"weight_map": {{"a": "model-1.safetensors", "b": "{name}"}}}}"#);
    write(folder.path(), "config.json", "{}");
    write(folder.path(), "model-1.safetensors", "one");
    write(folder.path(), "model-2.safetensors", "two");
    write(
        folder.path(),
        "model.safetensors.index.json",
        &index("model-2.safetensors"),
    );
    let need = model(&folder, ModelRole::Dino, None);
    let store = Store::in_memory();
    let source = store.resolve(std::slice::from_ref(&need)).await.unwrap().models[&need].clone();
    assert_eq!(source.files.len(), 4);
    write(
        folder.path(),
        "model.safetensors.index.json",
        &index("../../etc/passwd"),
    );
    let said = store.resolve(&[need]).await.unwrap_err().to_string();
    assert!(said.contains("is missing"), "{said}");
}

#[tokio::test]
async fn a_file_of_pytorch_is_taken_where_there_is_no_other() {
    let store = Store::in_memory();
    let folder = TempDir::new().unwrap();
    let files = async |need: &Need| {
        let source = store.resolve(std::slice::from_ref(need)).await.unwrap().models[need].clone();
        let paths = source.files.iter().map(|file| file.path.clone());
        (paths.collect::<Vec<_>>(), source.identity().unwrap())
    };
    let need = model(&folder, ModelRole::Dino, None);
    write(folder.path(), "config.json", "{}");
    write(folder.path(), "pytorch_model-00001-of-00001.bin", "a shard");
    write(folder.path(), "pytorch_model.bin.index.json", "{}");
    let refused = store.resolve(std::slice::from_ref(&need)).await.unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("/diffusion_pytorch_model.safetensors` is missing"),
        "{said}"
    );
    assert!(
        said.contains("diffusion_pytorch_model.bin, pytorch_model.bin"),
        "{said}"
    );

    write(folder.path(), "pytorch_model.bin", "weights");
    let (paths, first) = files(&need).await;
    assert_eq!(paths, ["config.json", "pytorch_model.bin"]);
    write(folder.path(), "pytorch_model.bin", "other weights");
    let (_, second) = files(&need).await;
    assert_ne!(first, second);

    let half = model(&folder, ModelRole::Dino, Some("fp16"));
    assert!(store.resolve(std::slice::from_ref(&half)).await.is_err());
    write(folder.path(), "pytorch_model.fp16.bin", "weights");
    assert_eq!(files(&half).await.0, ["config.json", "pytorch_model.fp16.bin"]);

    // Whatever the names are, safetensors come first.
    write(folder.path(), "diffusion_pytorch_model.bin", "weights");
    assert_eq!(
        files(&need).await.0,
        ["config.json", "diffusion_pytorch_model.bin"]
    );
    write(folder.path(), "model.safetensors", "weights");
    assert_eq!(files(&need).await.0, ["config.json", "model.safetensors"]);
}
