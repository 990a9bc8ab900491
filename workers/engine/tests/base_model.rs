//! A base model directory loads whole or says what is wrong with which file.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use vico_engine::Error;
use vico_engine::base_model::BaseModel;
use vico_engine::weights;

const FILES: [(&str, &str); 3] = [
    ("unet", "diffusion_pytorch_model"),
    ("vae", "diffusion_pytorch_model"),
    ("text_encoder", "model"),
];

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/tiny-sd")
}

/// A copy of the tiny model whose weights went through `change` (network, tensors) and are saved with `suffix`.
fn changed(suffix: &str, change: impl Fn(&str, &mut HashMap<String, Tensor>)) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for part in ["unet", "vae", "text_encoder", "tokenizer", "scheduler"] {
        fs::create_dir(copy.path().join(part)).unwrap();
        for file in fs::read_dir(tiny().join(part))
            .unwrap()
            .map(|file| file.unwrap().path())
        {
            if file
                .extension()
                .is_none_or(|extension| extension != "safetensors")
            {
                fs::copy(&file, copy.path().join(part).join(file.file_name().unwrap())).unwrap();
            }
        }
    }
    for (network, stem) in FILES {
        let name = format!("{network}/{stem}.safetensors");
        let mut tensors = candle_core::safetensors::load(tiny().join(name), &Device::Cpu).unwrap();
        change(network, &mut tensors);
        let path = copy.path().join(format!("{network}/{stem}{suffix}.safetensors"));
        candle_core::safetensors::save(&tensors, path).unwrap();
    }
    copy
}

fn error(dir: &Path, variant: Option<&str>) -> String {
    BaseModel::load(dir, variant, &Device::Cpu)
        .err()
        .unwrap()
        .to_string()
}

#[test]
fn the_tiny_model_loads_whole() {
    let base = BaseModel::load(&tiny(), None, &Device::Cpu).unwrap();
    assert_eq!(base.text.hidden_size(), 32);
    assert!((base.vae.scaling_factor() - 0.18215).abs() < 1e-12);
    assert!(base.device().is_cpu());
}

#[test]
fn half_precision_files_load_by_their_variant_only() {
    let half = changed(".fp16", |_, tensors| {
        for tensor in tensors.values_mut() {
            *tensor = tensor.to_dtype(DType::F16).unwrap();
        }
    });
    let base = BaseModel::load(half.path(), Some("fp16"), &Device::Cpu).unwrap();
    let full = BaseModel::load(&tiny(), None, &Device::Cpu).unwrap();
    let ids = [full.tokenizer.encode("a photo of a dog").unwrap().ids];
    let context = |base: &BaseModel| base.text.forward(&ids, &[]).unwrap();
    let gaps = (context(&base) - context(&full)).unwrap().flatten_all().unwrap();
    let gaps = gaps.to_vec1::<f32>().unwrap().into_iter().map(f32::abs);
    let gap = gaps.max_by(f32::total_cmp).unwrap();
    assert!(gap > 0.0 && gap < 0.02, "{gap}");
    let error = error(half.path(), None);
    assert!(
        error.contains("text_encoder") && error.contains("model.safetensors"),
        "{error}"
    );
}

#[test]
fn files_of_older_tools_carry_position_ids() {
    let old = changed("", |network, tensors| {
        if network == "text_encoder" {
            let ids = Tensor::arange(0_i64, 77, &Device::Cpu)
                .unwrap()
                .reshape((1, 77))
                .unwrap();
            tensors.insert("text_model.embeddings.position_ids".to_owned(), ids);
        }
    });
    BaseModel::load(old.path(), None, &Device::Cpu).unwrap();
}

#[test]
fn a_network_with_a_tensor_too_many_or_too_few_is_refused() {
    for network in ["unet", "vae", "text_encoder"] {
        let more = changed("", |this, tensors| {
            if this == network {
                tensors.insert(
                    "stowaway".to_owned(),
                    Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap(),
                );
            }
        });
        let text = error(more.path(), None);
        assert!(text.contains(network) && text.contains("stowaway"), "{text}");

        let less = changed("", |this, tensors| {
            if this == network {
                tensors.remove(&first(tensors));
            }
        });
        let name = format!(
            "{network}/{}.safetensors",
            FILES.iter().find(|(n, _)| *n == network).unwrap().1
        );
        let gone = first(&candle_core::safetensors::load(tiny().join(name), &Device::Cpu).unwrap());
        let text = error(less.path(), None);
        assert!(
            text.contains(network) && text.contains(&gone) && text.contains("missing"),
            "{text}"
        );
    }
}

fn first(tensors: &HashMap<String, Tensor>) -> String {
    tensors.keys().min().unwrap().clone()
}

#[test]
fn missing_parts_are_named() {
    for (part, word) in [
        ("tokenizer", "tokenizer"),
        ("scheduler/scheduler_config.json", "scheduler_config.json"),
        ("unet", "unet"),
    ] {
        let copy = changed("", |_, _| ());
        let path = copy.path().join(part);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        let text = error(copy.path(), None);
        assert!(text.contains(word), "{text}");
    }
    let nowhere = BaseModel::load(Path::new("does-not-exist"), None, &Device::Cpu)
        .err()
        .unwrap();
    assert!(matches!(nowhere, Error::Tokenizer(_)));
}

#[test]
fn the_digest_changes_with_any_network() {
    let digest = |dir: &Path| BaseModel::digest(dir, None).unwrap();
    let copy = changed("", |network, tensors| {
        if network == "vae" {
            let tensor = tensors.get_mut(&first(tensors)).unwrap();
            *tensor = (&*tensor + 1e-3).unwrap();
        }
    });
    assert_eq!(digest(&tiny()), digest(&tiny()));
    assert_ne!(digest(&tiny()), digest(copy.path()));
    assert_eq!(weights::digest(&tiny().join("unet"), None).unwrap().len(), 64);
}
