//! A weights file is complete, sound and fully used, or the error names file and tensor.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use half::{bf16, f16};
use proptest::prelude::*;
use vico_engine::weights::{self, Error, Weights};

const FILE: &str = "model.safetensors";

fn save(dir: &Path, file: &str, tensors: &[(&str, Tensor)]) {
    let tensors: HashMap<&str, Tensor> = tensors.iter().cloned().collect();
    candle_core::safetensors::save(&tensors, dir.join(file)).unwrap();
}

fn ramp(n: usize) -> Tensor {
    Tensor::arange(0_f32, n as f32, &Device::Cpu).unwrap()
}

fn open(dir: &Path) -> Result<Weights, Error> {
    Weights::open(dir, None, &Device::Cpu)
}

/// A directory whose model has `a.weight` (2, 3) and `a.bias` (3).
fn sound() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    save(
        dir.path(),
        FILE,
        &[
            ("a.weight", ramp(6).reshape((2, 3)).unwrap()),
            ("a.bias", ramp(3)),
        ],
    );
    dir
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn tensors_come_back_as_they_were_saved() {
    let dir = sound();
    let a = open(dir.path()).unwrap().pp("a");
    assert_eq!(
        values(&a.get((2, 3), "weight").unwrap()),
        [0., 1., 2., 3., 4., 5.]
    );
    assert_eq!(
        values(&a.get_any(3, &["new_bias", "bias"]).unwrap()),
        [0., 1., 2.]
    );
    a.finish().unwrap();
}

#[test]
fn a_missing_tensor_is_named_with_its_file() {
    let dir = sound();
    let weights = open(dir.path()).unwrap();
    let error = weights.pp("a").get(3, "scale").unwrap_err().to_string();
    assert!(error.contains("a.scale") && error.contains(FILE), "{error}");
    let error = weights.get_any(3, &["old", "new"]).unwrap_err().to_string();
    assert!(error.contains("`old` or `new`"), "{error}");
}

#[test]
fn tensors_nobody_asked_for_are_named() {
    let dir = sound();
    let weights = open(dir.path()).unwrap();
    weights.pp("a").get((2, 3), "weight").unwrap();
    let error = weights.finish().unwrap_err();
    assert!(
        matches!(&error, Error::Unexpected { tensors, .. } if tensors == &["a.bias"]),
        "{error}"
    );
    weights.ignore(&["a.bias", "not.even.there"]);
    weights.finish().unwrap();
}

#[test]
fn a_wrong_shape_is_told_from_the_right_one() {
    let dir = sound();
    let error = open(dir.path()).unwrap().get((3, 2), "a.weight").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("a.weight") && text.contains("[2, 3]") && text.contains("[3, 2]"),
        "{text}"
    );
}

#[test]
fn integers_where_floats_belong_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let integers = |dtype| Tensor::zeros(3, dtype, &Device::Cpu).unwrap();
    save(
        dir.path(),
        FILE,
        &[("long", integers(DType::I64)), ("byte", integers(DType::U8))],
    );
    let weights = open(dir.path()).unwrap();
    for (name, type_name) in [("long", "I64"), ("byte", "U8")] {
        let error = weights.get(3, name).unwrap_err().to_string();
        assert!(
            error.contains(name) && error.contains(type_name) && error.contains(FILE),
            "{error}"
        );
    }
}

#[test]
fn nan_and_infinity_are_found_with_their_place() {
    for (value, dtype) in [
        (f32::NAN, DType::F32),
        (f32::INFINITY, DType::F16),
        (f32::NEG_INFINITY, DType::BF16),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let bad = Tensor::new(&[1., 2., value, 4.], &Device::Cpu)
            .unwrap()
            .to_dtype(dtype)
            .unwrap();
        save(dir.path(), FILE, &[("a", bad.clone())]);
        let from_memory = Weights::from_tensors("memory", HashMap::from([("a".to_owned(), bad)]));
        for weights in [open(dir.path()).unwrap(), from_memory] {
            let error = weights.get(4, "a").unwrap_err();
            assert!(matches!(error, Error::NotFinite { index: 2, .. }), "{error}");
        }
    }
}

#[test]
fn half_precision_is_widened_without_loss() {
    let dir = tempfile::tempdir().unwrap();
    let numbers = [0.1_f32, -3.75, 65_504., 1e-7];
    let tensor = Tensor::new(&numbers, &Device::Cpu).unwrap();
    let (half, brain) = (
        tensor.to_dtype(DType::F16).unwrap(),
        tensor.to_dtype(DType::BF16).unwrap(),
    );
    save(dir.path(), FILE, &[("half", half), ("brain", brain)]);
    let weights = open(dir.path()).unwrap();
    let (half, brain) = (weights.get(4, "half").unwrap(), weights.get(4, "brain").unwrap());
    assert_eq!((half.dtype(), brain.dtype()), (DType::F32, DType::F32));
    assert_eq!(values(&half), numbers.map(|x| f16::from_f32(x).to_f32()));
    assert_eq!(values(&brain), numbers.map(|x| bf16::from_f32(x).to_f32()));
}

#[test]
fn a_tensor_longer_than_one_read_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let n = (3 << 20) / 4 + 5;
    save(dir.path(), FILE, &[("long", ramp(n))]);
    assert_eq!(
        values(&open(dir.path()).unwrap().get(n, "long").unwrap()),
        values(&ramp(n))
    );
}

#[test]
fn a_variant_is_never_replaced_by_another() {
    let dir = tempfile::tempdir().unwrap();
    save(
        dir.path(),
        "diffusion_pytorch_model.fp16.safetensors",
        &[("a", ramp(2))],
    );
    let half = Weights::open(dir.path(), Some("fp16"), &Device::Cpu).unwrap();
    assert_eq!(values(&half.get(2, "a").unwrap()), [0., 1.]);
    let error = open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("diffusion_pytorch_model.safetensors"), "{error}");
    assert!(Weights::open(dir.path(), Some("bf16"), &Device::Cpu).is_err());
}

/// Elsewhere the same folder may be readable, so this must not look like a folder without weights.
#[cfg(unix)]
#[test]
fn a_file_system_that_fails_is_told_from_a_folder_without_weights() {
    for file in [
        FILE,
        "diffusion_pytorch_model.safetensors.index.json",
        "pytorch_model.bin",
    ] {
        let dir = tempfile::tempdir().unwrap();
        for empty in [dir.path(), &dir.path().join("absent")] {
            assert!(matches!(open(empty), Err(Error::NoWeights { .. })));
        }
        // A link to itself, which no file system can follow.
        let looped = dir.path().join(file);
        std::os::unix::fs::symlink(file, &looped).unwrap();
        assert!(matches!(open(dir.path()), Err(Error::Io { path, .. }) if path == looped));
    }
}

/// Two shards and an index that lists them.
fn sharded(index: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), "model-1.safetensors", &[("a", ramp(2))]);
    save(dir.path(), "model-2.safetensors", &[("b", ramp(3))]);
    fs::write(dir.path().join("model.safetensors.index.json"), index).unwrap();
    dir
}

#[test]
fn shards_are_read_through_their_index() {
    let index = r#"{"metadata": {"total_size": 20}, "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
    let dir = sharded(index);
    let weights = open(dir.path()).unwrap();
    weights.get(2, "a").unwrap();
    weights.get(3, "b").unwrap();
    weights.finish().unwrap();
}

#[test]
fn an_index_that_does_not_fit_is_an_error() {
    for index in [
        "not json",
        r#"{"weight_map": {"a": "../model-1.safetensors", "b": "model-2.safetensors"}}"#,
        r#"{"weight_map": {"a": "/etc/passwd"}}"#,
        r#"{"weight_map": {"a": "model-2.safetensors", "b": "model-1.safetensors"}}"#,
        r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-2.safetensors"}}"#,
    ] {
        let dir = sharded(index);
        assert!(matches!(open(dir.path()), Err(Error::Index { .. })), "{index}");
    }
    let dir = sharded(r#"{"weight_map": {"a": "model-9.safetensors"}}"#);
    assert!(matches!(open(dir.path()), Err(Error::Io { path, .. }) if path.ends_with("model-9.safetensors")));
}

#[test]
fn a_file_that_ends_early_or_late_is_found_at_opening() {
    let dir = sound();
    let path = dir.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        let error = open(dir.path()).err().unwrap();
        assert!(
            matches!(error, Error::Header { .. } | Error::Length { .. }),
            "{end}: {error}"
        );
    }
    fs::write(&path, [whole.as_slice(), b"x"].concat()).unwrap();
    assert!(matches!(open(dir.path()), Err(Error::Length { .. })));
}

#[test]
fn hostile_headers_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let header = |json: &str| [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat();
    for file in [
        u64::MAX.to_le_bytes().to_vec(),
        (1_u64 << 40).to_le_bytes().to_vec(),
        header("{"),
        header("[]"),
        header(r#"{"a": {"dtype": "F32", "shape": [18446744073709551615, 2], "data_offsets": [0, 8]}}"#),
        header(r#"{"a": {"dtype": "F32", "shape": [1073741824, 1073741824], "data_offsets": [0, 8]}}"#),
        header(r#"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}"#),
        header(r#"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}"#),
        header(r#"{"a": {"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 4000000000000]}}"#),
        header(r#"{"a": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}"#),
    ] {
        fs::write(dir.path().join(FILE), &file).unwrap();
        let error = open(dir.path()).err().unwrap();
        assert!(
            matches!(error, Error::Header { .. } | Error::Length { .. }),
            "{error}"
        );
    }
}

proptest! {
    /// Any bytes behind any header length: an error or a readable file, never a panic.
    #[test]
    fn any_header_is_survived(length in 0_u64..80, mut bytes in prop::collection::vec(any::<u8>(), 0..80), json: bool) {
        if json {
            bytes = String::from_utf8_lossy(&bytes).replace(|c: char| !c.is_ascii_graphic(), "{").into_bytes();
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), [&length.to_le_bytes()[..], &bytes].concat()).unwrap();
        let _ = open(dir.path());
    }

    /// A damaged header of a real file opens with sound tensors or not at all.
    #[test]
    fn damaged_headers_never_panic(at in 0_usize..180, value: u8) {
        let dir = sound();
        let path = dir.path().join(FILE);
        let mut file = fs::read(&path).unwrap();
        let at = at % file.len();
        file[at] = value;
        fs::write(&path, file).unwrap();
        if let Ok(weights) = open(dir.path()) {
            let _ = weights.get((2, 3), "a.weight");
            let _ = weights.finish();
        }
    }
}

#[test]
fn variables_stay_trainable() {
    let var = Var::from_tensor(&ramp(3)).unwrap();
    let weights = Weights::from_tensors(
        "adapter",
        HashMap::from([("a".to_owned(), var.as_tensor().clone())]),
    );
    assert!(weights.get(3, "a").unwrap().is_variable());
}

#[test]
fn equal_files_have_equal_digests() {
    let (one, two) = (sound(), sound());
    let digest = |dir: &tempfile::TempDir| weights::digest(dir.path(), None).unwrap();
    assert_eq!(digest(&one), digest(&two));
    let file = fs::read(one.path().join(FILE)).unwrap();
    assert_eq!(digest(&one), blake3::hash(&file).to_hex().to_string());
    save(two.path(), FILE, &[("a", ramp(4))]);
    assert_ne!(digest(&one), digest(&two));
}
