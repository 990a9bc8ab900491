//! Weights that only PyTorch's own format holds are read as those in safetensors files, and come after them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use tempfile::TempDir;
use vico_engine::weights::{self, Error, Weights};

const FILE: &str = "pytorch_model.bin";
/// What `fixtures/torch_file/make.py` puts into both files, but for whole numbers.
const FLOATS: [(&str, &[usize]); 10] = [
    ("linear.weight", &[3, 4]),
    ("linear.bias", &[3]),
    ("shared", &[3, 4]),
    ("transposed", &[4, 3]),
    ("row", &[4]),
    ("column", &[3]),
    ("parameter", &[2, 2, 3]),
    ("scalar", &[]),
    ("half", &[5]),
    ("brain", &[5]),
];
const INTEGERS: [(&str, &[usize], &str); 2] = [("position_ids", &[1, 5], "I64"), ("count", &[2], "I32")];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/torch_file")
        .join(name)
}

/// A file of another program, of those that fuzzing starts from.
fn seed(name: &str) -> Vec<u8> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/seeds/pickle");
    fs::read(seeds.join(name)).unwrap()
}

/// A folder in which the file that PyTorch wrote has these names.
fn folder(names: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in names {
        fs::copy(fixture(FILE), dir.path().join(name)).unwrap();
    }
    dir
}

fn open(dir: &TempDir) -> Result<Weights, Error> {
    Weights::open(dir.path(), None, &Device::Cpu)
}

fn refusal(dir: &TempDir) -> String {
    open(dir).err().unwrap().to_string()
}

/// Why a file of these bytes is refused.
fn refusal_of(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE), bytes).unwrap();
    let refused = refusal(&dir);
    assert!(refused.contains(FILE), "{refused}");
    refused
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

#[test]
fn every_tensor_has_the_values_that_safetensors_has() {
    let plain = tempfile::tempdir().unwrap();
    fs::copy(
        fixture("model.safetensors"),
        plain.path().join("model.safetensors"),
    )
    .unwrap();
    let (pickled, plain) = (open(&folder(&[FILE])).unwrap(), open(&plain).unwrap());
    for (name, shape) in FLOATS {
        let (found, expected) = (pickled.get(shape, name).unwrap(), plain.get(shape, name).unwrap());
        assert_eq!(found.dtype(), expected.dtype(), "{name}");
        assert_eq!(bits(&found), bits(&expected), "{name}");
    }
    for weights in [pickled, plain] {
        assert!(matches!(weights.finish(), Err(Error::Unexpected { tensors, .. }) if tensors.len() == 2));
        weights.ignore(&["position_ids", "count"]);
        weights.finish().unwrap();
    }
}

#[test]
fn whole_numbers_where_floats_belong_are_an_error() {
    let weights = open(&folder(&[FILE])).unwrap();
    for (name, shape, type_name) in INTEGERS {
        let error = weights.get(shape, name).unwrap_err();
        assert!(matches!(error, Error::ElementType { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(name) && text.contains(type_name) && text.contains(FILE),
            "{text}"
        );
    }
    let error = weights.get((4, 3), "linear.weight").unwrap_err().to_string();
    assert!(error.contains("[3, 4]") && error.contains(FILE), "{error}");
}

#[test]
fn safetensors_come_first_whatever_their_name() {
    let dir = folder(&[FILE, "diffusion_pytorch_model.bin"]);
    assert!(
        open(&dir)
            .unwrap()
            .origin()
            .ends_with("diffusion_pytorch_model.bin")
    );
    let other = Tensor::new(&[1_f32, 2.], &Device::Cpu).unwrap();
    let path = dir.path().join("model.safetensors");
    candle_core::safetensors::save(&HashMap::from([("a", other)]), &path).unwrap();
    let weights = open(&dir).unwrap();
    assert!(weights.contains("a") && !weights.contains("row"));
    let hash = blake3::hash(&fs::read(path).unwrap());
    assert_eq!(
        weights::digest(dir.path(), None).unwrap(),
        hash.to_hex().to_string()
    );
}

#[test]
fn a_variant_is_never_replaced_by_another() {
    for stem in ["pytorch_model", "diffusion_pytorch_model"] {
        let dir = folder(&[&format!("{stem}.fp16.bin")]);
        let half = Weights::open(dir.path(), Some("fp16"), &Device::Cpu).unwrap();
        half.get(3, "linear.bias").unwrap();
        assert!(matches!(open(&dir), Err(Error::NoWeights { .. })));
        let plain = folder(&[&format!("{stem}.bin")]);
        let refused = Weights::open(plain.path(), Some("fp16"), &Device::Cpu)
            .err()
            .unwrap();
        let text = refused.to_string();
        assert!(text.contains(&format!("{stem}.fp16.bin")), "{text}");
    }
}

#[test]
fn shards_of_this_format_are_not_read_and_the_error_says_what_is() {
    let dir = folder(&["pytorch_model-00001-of-00001.bin"]);
    fs::write(
        dir.path().join("pytorch_model.bin.index.json"),
        r#"{"weight_map": {}}"#,
    )
    .unwrap();
    let refused = refusal(&dir);
    for name in [
        "model.safetensors",
        "model.safetensors.index.json",
        "diffusion_pytorch_model.bin",
        ", pytorch_model.bin",
    ] {
        assert!(refused.contains(name), "{refused}");
    }
}

#[test]
fn the_digest_is_that_of_the_file() {
    let dir = folder(&[FILE]);
    let before = weights::digest(dir.path(), None).unwrap();
    let hash = blake3::hash(&fs::read(fixture(FILE)).unwrap());
    assert_eq!(before, hash.to_hex().to_string());
    fs::write(dir.path().join(FILE), seed("vico.pt")).unwrap();
    assert_ne!(weights::digest(dir.path(), None).unwrap(), before);
}

#[test]
fn a_damaged_file_is_named() {
    let whole = fs::read(fixture(FILE)).unwrap();
    for end in (0..whole.len()).step_by(7) {
        let refused = refusal_of(&whole[..end]);
        assert!(refused.contains("incomplete download?"), "{end}: {refused}");
    }
    let (dir, mut damaged) = (tempfile::tempdir().unwrap(), 0);
    let path = dir.path().join(FILE);
    for at in (0..whole.len()).step_by(5) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        fs::write(&path, bytes).unwrap();
        // What fills the space between tensors is in no checksum.
        if let Err(error) = open(&dir) {
            assert!(
                matches!(&error, Error::TorchFile { path: named, .. } if *named == path),
                "{at}: {error}"
            );
            damaged += usize::from(error.to_string().contains("is damaged"));
        }
    }
    assert!(damaged > 100, "{damaged}");
}

#[test]
fn what_is_no_state_dict_is_told_with_what_to_do() {
    for (seed_name, said) in [
        ("vico.legacy.pt", "load it in PyTorch and save it again"),
        ("compvis.pt", "`string_to_token` in it is no tensor"),
        ("a1111.pt", "save `network.state_dict()` alone"),
    ] {
        let refused = refusal_of(&seed(seed_name));
        assert!(
            refused.contains(said) && refused.contains(".safetensors"),
            "{refused}"
        );
    }
    // What git leaves where it did not fetch a large file.
    let refused = refusal_of(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 605247071\n");
    assert!(
        refused.contains("no file that `torch.save` wrote") && refused.contains("incomplete download?"),
        "{refused}"
    );
}

#[test]
fn a_file_beyond_the_formats_size_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = fs::File::create(dir.path().join(FILE)).unwrap();
    file.set_len((4 << 30) + 1).unwrap();
    let refused = refusal(&dir);
    assert!(
        refused.contains(FILE) && refused.contains("4294967297 bytes"),
        "{refused}"
    );
}
