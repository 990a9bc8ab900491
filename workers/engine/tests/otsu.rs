//! The automatic mask against the official function's results.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; exact values are meant"
)]

use std::path::Path;

use candle_core::{Device, Tensor, safetensors};
use vico_engine::methods::vico::otsu::{Masks, mask};

fn bits(mask: &[bool]) -> Vec<u8> {
    mask.iter().map(|kept| u8::from(*kept)).collect()
}

#[test]
fn every_golden_map_gives_the_official_threshold_and_mask() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/otsu.safetensors");
    let golden = safetensors::load(path, &Device::Cpu).unwrap();
    let thresholds = golden["threshold"].to_vec1::<f32>().unwrap();
    let kept = golden["kept"].to_vec1::<i32>().unwrap();
    assert_eq!(thresholds.len(), 50);
    for (i, want) in thresholds.into_iter().enumerate() {
        let map = golden[&format!("map_{i:02}")].to_vec1::<f32>().unwrap();
        let (threshold, mask) = mask(&map);
        assert_eq!(threshold, want, "threshold of map {i}");
        assert_eq!(
            bits(&mask),
            golden[&format!("mask_{i:02}")].to_vec1::<u8>().unwrap(),
            "mask of map {i}"
        );
        assert_eq!(mask.iter().filter(|kept| **kept).count(), kept[i] as usize);
    }
}

#[test]
fn ramps_have_the_published_thresholds() {
    let ramp: Vec<f32> = (0..256).map(|i| i as f32 / 255.0).collect();
    let cubed: Vec<f32> = ramp.iter().map(|value| value.powi(3)).collect();
    for (map, want, kept) in [(ramp, 0.5, 128), (cubed, 0.4, 68)] {
        let (threshold, mask) = mask(&map);
        assert_eq!(threshold, want);
        assert_eq!(mask.iter().filter(|kept| **kept).count(), kept);
    }
}

#[test]
fn a_constant_map_keeps_every_patch() {
    let (threshold, mask) = mask(&[0.25; 64]);
    assert_eq!(threshold, 0.0);
    assert!(mask.into_iter().all(|kept| kept));
}

#[test]
fn the_largest_patch_is_kept_and_the_smallest_masked() {
    let (_, mask) = mask(&[0.3, 0.1, 0.2, 0.9]);
    assert!(mask[3] && !mask[1]);
}

/// Values, not histogram bins: nine thresholds on min–max normalised values, ties to the lowest, `>=` is kept.
#[test]
fn equal_variances_take_the_lowest_threshold() {
    let (threshold, mask) = mask(&[0.0, 1.0, 0.0, 1.0]);
    assert_eq!(threshold, 0.1);
    assert_eq!(bits(&mask), [0, 1, 0, 1]);
}

#[test]
fn every_row_has_its_own_mask_and_carries_no_gradient() {
    let maps = candle_core::Var::new(&[[0f32, 1.0, 0.0], [1.0, 0.9, 0.0]], &Device::Cpu).unwrap();
    let masks = Masks::of(&maps).unwrap();
    assert_eq!(masks.keys.to_vec2::<u8>().unwrap(), [[0, 1, 0], [1, 1, 0]]);
    assert_eq!(masks.kept, [vec![1], vec![0, 1]]);
    assert!(!masks.keys.track_op());
    let alone = Masks::of(&Tensor::new(&[[1f32, 0.9, 0.0]], &Device::Cpu).unwrap()).unwrap();
    assert_eq!(masks.thresholds[1], alone.thresholds[0]);
}
