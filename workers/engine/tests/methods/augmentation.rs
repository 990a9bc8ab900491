//! How pictures are squashed, cropped and scaled, over many draws.

use std::collections::BTreeSet;

use candle_core::Device;
use proptest::prelude::*;
use vico_engine::diffusion::{NoiseKey, NoiseStream, Purpose};
use vico_engine::image::Rgb8;
use vico_engine::methods::augment::{Augmentation, Frame, View};
use vico_engine::methods::{custom_diffusion, dreambooth};

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
            dreambooth::AUGMENTATION,
            custom_diffusion::CLASS_AUGMENTATION,
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

/// Whether a picture that is brighter the further right still is so in the view.
fn rises(augmentation: Augmentation, seed: u64) -> bool {
    let data = (0..3 * 128 * 64).map(|i| ((i / 3) % 128 * 2) as u8);
    let ramp = Rgb8::new(128, 64, data.collect()).unwrap();
    let view = augmentation.view(&ramp, FRAME, &mut draws(seed), &Device::Cpu);
    let red = view.unwrap().pixels.get(0).unwrap();
    let row: Vec<f32> = red.get(5).unwrap().to_vec1().unwrap();
    row[0] < row[127]
}

/// Custom Diffusion's class images are, as its references are; nothing of DreamBooth and LoRA is.
#[test]
fn half_of_the_pictures_are_mirrored_where_the_script_does() {
    let share = |augmentation| (0..400).filter(|seed| rises(augmentation, *seed)).count() as f64 / 400.0;
    for augmentation in [
        Augmentation::Squash,
        Augmentation::Scale { vary: false },
        custom_diffusion::CLASS_AUGMENTATION,
    ] {
        let rising = share(augmentation);
        assert!((rising - 0.5).abs() < 0.08, "{augmentation:?}: {rising}");
    }
    assert!((0..400).all(|seed| rises(dreambooth::AUGMENTATION, seed)));
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
        (dreambooth::AUGMENTATION, [0, 64, 191, 255]),
        (custom_diffusion::CLASS_AUGMENTATION, [0, 64, 191, 255]),
        (Augmentation::Scale { vary: false }, [0, 64, 191, 255]),
    ] {
        assert_eq!(shades(augmentation), BTreeSet::from(expected), "{augmentation:?}");
    }
}

/// Every column of the picture has a shade of its own, so the first one of a view says where the square was cut out.
/// DreamBooth draws that place and nothing else; anything drawn before it would train other adapters.
#[test]
fn squares_lie_anywhere_and_dreambooth_draws_nothing_but_their_place() {
    let data = (0..3 * 256 * 128).map(|i| ((i / 3) % 256) as u8);
    let wide = Rgb8::new(256, 128, data.collect()).unwrap();
    let lefts: BTreeSet<usize> = (0..40)
        .map(|seed| {
            let view = dreambooth::AUGMENTATION.view(&wide, FRAME, &mut draws(seed), &Device::Cpu);
            let red = view.unwrap().pixels.get(0).unwrap();
            let first: f32 = red.get(9).unwrap().get(0).unwrap().to_scalar().unwrap();
            let left = ((first + 1.0) * 127.5).round() as usize;
            let mut place = draws(seed);
            assert_eq!((place.below(1), place.below(129)), (0, left));
            left
        })
        .collect();
    assert!(lefts.len() > 20, "{} different crops", lefts.len());
}
