//! LPIPS equals the reference implementation, on weights that both make up by the same rule (`fixtures/lpips/make.py`).
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde::Deserialize;
use tempfile::TempDir;
use vico_engine::image::{Limits, Rgb8, decode};
use vico_engine::metrics::Lpips;

/// Relative; the reference's own f32 sums differ by as much from one thread count to another.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Golden {
    left: usize,
    right: usize,
    width: usize,
    height: usize,
    distance: f64,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// splitmix64 as a number from 0 to 1.
fn hashed(number: u64) -> f64 {
    let mut x = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^= x >> 31;
    (x >> 40) as f64 / 16_777_216.0
}

/// Names and shapes of the state of `lpips.LPIPS(net="alex")`, in the order of the names.
fn shapes() -> BTreeMap<String, Vec<usize>> {
    serde_json::from_slice(&fs::read(fixture("lpips/shapes.json")).unwrap()).unwrap()
}

fn made_up() -> HashMap<String, Tensor> {
    let mut start = 0;
    let mut tensors = HashMap::new();
    for (name, shape) in shapes() {
        let count: usize = shape.iter().product();
        let width = if name.ends_with("bias") {
            0.2
        } else {
            (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt()
        };
        let value = |i: usize| {
            let number = hashed((start + i) as u64);
            if name.starts_with("lin") {
                number as f32
            } else {
                ((2.0 * number - 1.0) * width) as f32
            }
        };
        let values: Vec<f32> = (0..count).map(value).collect();
        tensors.insert(
            name.clone(),
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap(),
        );
        start += count;
    }
    tensors
}

fn folder(tensors: &HashMap<String, Tensor>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    candle_core::safetensors::save(tensors, folder.path().join("model.safetensors")).unwrap();
    folder
}

fn photo(number: usize, width: usize, height: usize) -> Rgb8 {
    let file = fs::read(fixture(&format!("parity/metrics/photos/{number}.png"))).unwrap();
    let whole = decode(&file, &Limits::default()).unwrap();
    let rows = whole.data().chunks_exact(3 * whole.width()).take(height);
    let cropped = rows.flat_map(|row| &row[..3 * width]).copied().collect();
    Rgb8::new(width, height, cropped).unwrap()
}

#[test]
fn distances_are_those_of_the_reference() {
    let folder = folder(&made_up());
    let lpips = Lpips::load(folder.path(), &Device::Cpu).unwrap();
    let golden: Vec<Golden> =
        serde_json::from_slice(&fs::read(fixture("lpips/distances.json")).unwrap()).unwrap();
    assert_eq!(golden.len(), 8);
    for pair in golden {
        let look = |number| lpips.appearance(&photo(number, pair.width, pair.height)).unwrap();
        let distance = lpips.distance(&look(pair.left), &look(pair.right)).unwrap();
        let wrong = (distance - pair.distance).abs();
        assert!(
            wrong <= TOLERANCE * pair.distance.max(1.0),
            "{distance} for {}",
            pair.distance
        );
    }
}

#[test]
fn diversity_is_the_mean_over_pairs() {
    let folder = folder(&made_up());
    let lpips = Lpips::load(folder.path(), &Device::Cpu).unwrap();
    let pictures = [0, 3, 6].map(|number| photo(number, 77, 65));
    let look = |number: usize| lpips.appearance(&pictures[number]).unwrap();
    let pairs = [(0, 1), (0, 2), (1, 2)];
    let distances = pairs.map(|(left, right)| lpips.distance(&look(left), &look(right)).unwrap());
    let mean = distances.iter().sum::<f64>() / 3.0;
    let diversity = lpips.diversity(&pictures).unwrap();
    let wrong = (diversity.mean.unwrap() - mean).abs();
    assert!(wrong < 1e-12 && mean > 0.1, "{diversity:?} {mean}");
    assert_eq!(diversity.left_out, 0);
    assert_eq!(lpips.diversity(&pictures[..1]).unwrap().mean, None);
}

/// Between two sizes there is no distance; the others' is what it was.
#[test]
fn pairs_of_two_sizes_are_left_out() {
    let folder = folder(&made_up());
    let lpips = Lpips::load(folder.path(), &Device::Cpu).unwrap();
    let [one, two] = [0, 3].map(|number| photo(number, 77, 65));
    let other = photo(6, 65, 77);
    let of_two = lpips.diversity(&[one.clone(), two.clone()]).unwrap();
    let of_three = lpips.diversity(&[one.clone(), other.clone(), two]).unwrap();
    assert_eq!((of_three.mean, of_three.left_out), (of_two.mean, 2));
    let of_none = lpips.diversity(&[one, other]).unwrap();
    assert_eq!((of_none.mean, of_none.left_out), (None, 1));
}

/// The reference keeps the channel weights twice and its constants among the tensors; anything else is refused.
#[test]
fn its_own_duplicates_are_known_and_strangers_are_not() {
    let mut tensors = made_up();
    let own = tensors["lin0.model.1.weight"].clone();
    tensors.insert("lins.0.model.1.weight".to_owned(), own);
    let shift = Tensor::zeros((1, 3, 1, 1), candle_core::DType::F32, &Device::Cpu).unwrap();
    tensors.insert("scaling_layer.shift".to_owned(), shift.clone());
    Lpips::load(folder(&tensors).path(), &Device::Cpu).unwrap();
    tensors.insert("classifier.6.weight".to_owned(), shift);
    let refused = Lpips::load(folder(&tensors).path(), &Device::Cpu).unwrap_err();
    assert!(refused.to_string().contains("classifier.6.weight"), "{refused}");
    let mut short = made_up();
    short.remove("net.slice4.8.bias");
    let refused = Lpips::load(folder(&short).path(), &Device::Cpu).unwrap_err();
    assert!(refused.to_string().contains("net.slice4.8.bias"), "{refused}");
}
