//! How pictures are squashed, cropped and scaled, over many draws.

use std::collections::BTreeSet;

use candle_core::Device;
use proptest::prelude::*;
use vico_engine::diffusion::{NoiseKey, NoiseStream, Purpose};
use vico_engine::image::Rgb8;
use vico_engine::methods::augment::{Augmentation, Frame, View};

const FRAME: Frame = Frame {
    size: 128,
    reduction: 8,
};

fn draws(seed: u64) -> NoiseStream {
    let key = NoiseKey {
        seed,
        concept: "dog5".to_owned(),
        prompt: String::new(),
        image: 0,
    };
    key.stream(Purpose::TrainAugmentation, 0)
}

fn view(augmentation: Augmentation, (width, height): (usize, usize), seed: u64) -> View {
    let white = Rgb8::new(width, height, vec![255; 3 * width * height]).unwrap();
    augmentation
        .view(&white, FRAME, &mut draws(seed), &Device::Cpu)
        .unwrap()
}

fn cells(view: &View) -> Vec<Vec<f32>> {
    view.mask.as_ref().unwrap().squeeze(0).unwrap().to_vec2().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_view_has_the_frames_size(seed: u64, width in 40..300_usize, height in 40..300_usize) {
        for augmentation in [
            Augmentation::Squash,
            Augmentation::Crop,
            Augmentation::Scale { vary: true },
            Augmentation::Scale { vary: false },
        ] {
            let view = view(augmentation, (width, height), seed);
            prop_assert_eq!(view.pixels.dims(), &[3, 128, 128]);
        }
    }

    /// The picture is white and the padding grey: the mask may only hold cells that are white all over, and words say
    /// how the picture was scaled.
    #[test]
    fn a_scaled_picture_counts_only_where_it_is(seed: u64) {
        let view = view(Augmentation::Scale { vary: true }, (200, 200), seed);
        let pixels: Vec<Vec<f32>> = view.pixels.get(0).unwrap().to_vec2().unwrap();
        let cells = cells(&view);
        prop_assert!(cells.iter().flatten().any(|cell| *cell > 0.5));
        for (y, row) in pixels.iter().enumerate() {
            for (x, value) in row.iter().enumerate() {
                prop_assert!(value.abs() < 1e-6 || (*value - 1.0).abs() < 1e-6);
                prop_assert!(cells[y / 8][x / 8] < 0.5 || *value > 0.5, "at {x}, {y}");
            }
        }
        let white = pixels.iter().flatten().filter(|value| **value > 0.5).count();
        let side = (white as f64).sqrt().round() as usize;
        prop_assert!((128 / 3..=128).contains(&side));
        let whole = cells.iter().flatten().all(|cell| *cell > 0.5);
        let far = ["a far away ", "very small "].contains(&view.prefix);
        let near = ["zoomed in ", "close up "].contains(&view.prefix);
        prop_assert_eq!(near, whole);
        prop_assert_eq!(far, side * 5 < 128 * 3);
    }
}

#[test]
fn two_thirds_of_the_pictures_are_drawn_smaller() {
    let smaller = (0..600).filter(|seed| {
        let view = view(Augmentation::Scale { vary: true }, (64, 64), *seed);
        cells(&view).iter().flatten().any(|cell| *cell < 0.5)
    });
    let share = smaller.count() as f64 / 600.0;
    assert!((share - 0.66).abs() < 0.06, "{share}");
}

#[test]
fn half_of_the_pictures_are_mirrored() {
    let mut data = vec![0; 3 * 64 * 64];
    for (i, value) in data.iter_mut().enumerate() {
        *value = ((i / 3) % 64 * 4) as u8;
    }
    let ramp = Rgb8::new(64, 64, data).unwrap();
    let rises = |seed| {
        let view = Augmentation::Squash.view(&ramp, FRAME, &mut draws(seed), &Device::Cpu);
        let row: Vec<f32> = view
            .unwrap()
            .pixels
            .get(0)
            .unwrap()
            .get(5)
            .unwrap()
            .to_vec1()
            .unwrap();
        row[0] < row[127]
    };
    let share = (0..400).filter(|seed| rises(*seed)).count() as f64 / 400.0;
    assert!((share - 0.5).abs() < 0.08, "{share}");
}

/// An edge between black and white, drawn twice as large: Pillow's bilinear filter gives a quarter of white beside it, the
/// bicubic one 0.203. diffusers takes the bicubic one for Textual Inversion alone.
#[test]
fn each_method_has_the_filter_of_its_script() {
    let data = (0..3 * 64 * 64).map(|i| if (i / 3) % 64 < 32 { 0 } else { 255 });
    let edge = Rgb8::new(64, 64, data.collect()).unwrap();
    let shades = |augmentation: Augmentation| -> BTreeSet<u8> {
        let view = augmentation.view(&edge, FRAME, &mut draws(3), &Device::Cpu);
        let pixels = view.unwrap().pixels.flatten_all().unwrap();
        let values: Vec<f32> = pixels.to_vec1().unwrap();
        let byte = |value: f32| ((value + 1.0) * 127.5).round() as u8;
        values.into_iter().map(byte).collect()
    };
    for (augmentation, expected) in [
        (Augmentation::Squash, [0, 52, 203, 255]),
        (Augmentation::Crop, [0, 64, 191, 255]),
        (Augmentation::Scale { vary: false }, [0, 64, 191, 255]),
    ] {
        assert_eq!(shades(augmentation), BTreeSet::from(expected), "{augmentation:?}");
    }
}

/// The crop of a wide picture is somewhere along its width, and not always the middle.
#[test]
fn crops_lie_anywhere() {
    let mut data = vec![0; 3 * 256 * 64];
    for (i, value) in data.iter_mut().enumerate() {
        *value = ((i / 3) % 256) as u8;
    }
    let wide = Rgb8::new(256, 64, data).unwrap();
    let starts: BTreeSet<u32> = (0..40)
        .map(|seed| {
            let view = Augmentation::Crop.view(&wide, FRAME, &mut draws(seed), &Device::Cpu);
            let first = view
                .unwrap()
                .pixels
                .get(0)
                .unwrap()
                .get(9)
                .unwrap()
                .get(0)
                .unwrap();
            first.to_scalar::<f32>().unwrap().to_bits()
        })
        .collect();
    assert!(starts.len() > 20, "{} different crops", starts.len());
}
