//! Features and cosines equal those of the published pipelines (goldens made with transformers and Pillow).
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use vico_engine::image::{Limits, Rgb8, decode};
use vico_engine::metrics::{
    ClipView, DinoView, Duplicates, Error, EvaluatorDirs, Evaluators, Features, FileFormat, ImageFeatures,
    Metric, Protocol, Scores, Views, cosines, diversity, is_first_choice, mean_cosine, real_vs_real,
    score_images, share_above,
};
use vico_engine::models::vit::{Vit, VitConfig};
use vico_engine::weights::{Weights, read_config};

const FEATURE_TOLERANCE: f64 = 2e-5;
const COSINE_TOLERANCE: f64 = 3e-6;

fn parity(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/parity")
        .join(name)
}

fn evaluators() -> Evaluators {
    let (clip, tokenizer, dino) = (
        parity("metrics/clip"),
        parity("tiny-sd/tokenizer"),
        parity("metrics/dino"),
    );
    let dirs = EvaluatorDirs {
        clip: &clip,
        tokenizer: &tokenizer,
        dino: &dino,
        lpips: None,
    };
    Evaluators::load(&dirs, &Device::Cpu).unwrap()
}

fn photos() -> Vec<Rgb8> {
    let read = |i| fs::read(parity(&format!("metrics/photos/{i}.png"))).unwrap();
    (0..8)
        .map(|i| decode(&read(i), &Limits::default()).unwrap())
        .collect()
}

/// The golden features; bench-v1's CLIP ones come from a second file, whose maker `fixtures/metrics/make.py` shows
/// that the first set resized to a short side of 140 instead of the protocol's 224.
fn golden() -> HashMap<String, Tensor> {
    let mut golden =
        candle_core::safetensors::load(parity("metrics/features.safetensors"), &Device::Cpu).unwrap();
    let corrected =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/metrics/bench_v1_clip.safetensors");
    golden.extend(candle_core::safetensors::load(corrected, &Device::Cpu).unwrap());
    golden
}

fn rows(tensor: &Tensor) -> Vec<Vec<f32>> {
    tensor.to_vec2().unwrap()
}

/// The largest absolute value; NaN if there is one.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.map(f64::abs).max_by(f64::total_cmp).unwrap()
}

fn assert_features(ours: &Features, golden: &Tensor, what: &str) {
    let golden = rows(golden);
    assert_eq!(ours.len(), golden.len(), "{what}");
    let pairs = ours.rows().zip(&golden).flat_map(|(a, b)| a.iter().zip(b));
    let worst = largest(pairs.map(|(a, b)| f64::from(a - b)));
    assert!(worst <= FEATURE_TOLERANCE, "{what}: {worst:e}");
}

fn assert_cosines(ours: &[Vec<f64>], golden: &Tensor, what: &str) {
    let golden = rows(golden);
    let pairs = ours.iter().zip(&golden).flat_map(|(a, b)| a.iter().zip(b));
    let worst = largest(pairs.map(|(a, b)| a - f64::from(*b)));
    assert!(worst <= COSINE_TOLERANCE, "{what}: {worst:e}");
}

fn prompts(protocol: Protocol) -> Vec<String> {
    let golden: serde_json::Value =
        serde_json::from_slice(&fs::read(parity("metrics/metrics.json")).unwrap()).unwrap();
    let literal: Vec<String> = serde_json::from_value(golden["prompts_literal_braces"].clone()).unwrap();
    literal
        .iter()
        .map(|prompt| protocol.text(prompt, golden["class_word"].as_str().unwrap()))
        .collect()
}

/// Checks one protocol; `clip` and `suffix` are the golden names of its CLIP variant.
fn check(protocol: Protocol, set: &str, clip: &str, suffix: &str) {
    let (evaluators, golden) = (evaluators(), golden());
    let images = evaluators.images(&[protocol], &photos()).unwrap().remove(0);
    let dino = images.dino.as_ref().unwrap();
    let texts = evaluators.texts(protocol, &prompts(protocol)).unwrap();
    assert_features(&images.clip, &golden[&format!("feature.{set}.{clip}")], clip);
    assert_features(dino, &golden[&format!("feature.{set}.dino")], "dino");
    assert_features(&texts, &golden[&format!("feature.{set}.text")], "text");

    let matrix = |name: &str| &golden[&format!("matrix.{set}.{name}")];
    let (clip_i, clip_t) = (format!("clip_i{suffix}"), format!("clip_t{suffix}"));
    assert_cosines(
        &cosines(&images.clip, &images.clip).unwrap(),
        matrix(&clip_i),
        "CLIP-I",
    );
    assert_cosines(&cosines(dino, dino).unwrap(), matrix("dino_i"), "DINO-I");
    assert_cosines(&cosines(&images.clip, &texts).unwrap(), matrix(&clip_t), "CLIP-T");
    check_means(&images, &texts, &golden, set, suffix);
}

/// The golden means: references are photos 0 to 3, generated pictures are photos 4 to 7.
fn check_means(
    images: &ImageFeatures,
    texts: &Features,
    golden: &HashMap<String, Tensor>,
    set: &str,
    suffix: &str,
) {
    let (references, pictures) = (part(images, 0..4), part(images, 4..8));
    let wanted = |name: String| golden[&format!("matrix.{set}.{name}")].to_vec1::<f32>().unwrap();
    for (i, text) in texts.rows().enumerate() {
        let text = Features::new(texts.width(), text.to_vec()).unwrap();
        let scores = score_images(&pictures, &references, &text).unwrap();
        let mean = |value: fn(&Scores) -> f64| scores.iter().map(value).sum::<f64>() / scores.len() as f64;
        for (ours, golden) in [
            (
                mean(|scores| scores.clip_t),
                wanted(format!("clip_t{suffix}.mean_gen4-7_per_prompt"))[i],
            ),
            (
                mean(|scores| scores.clip_i),
                wanted(format!("clip_i{suffix}.mean_ref0-3_gen4-7"))[0],
            ),
            (
                mean(|scores| scores.dino_i.unwrap()),
                wanted("dino_i.mean_ref0-3_gen4-7".to_owned())[0],
            ),
        ] {
            assert!(
                (ours - f64::from(golden)).abs() <= COSINE_TOLERANCE,
                "{ours} {golden}"
            );
        }
    }
}

fn part(images: &ImageFeatures, range: std::ops::Range<usize>) -> ImageFeatures {
    let cut = |features: &Features| {
        let rows = features.rows().skip(range.start).take(range.len());
        Features::new(features.width(), rows.flatten().copied().collect()).unwrap()
    };
    ImageFeatures {
        clip: cut(&images.clip),
        dino: images.dino.as_ref().map(cut),
    }
}

#[test]
fn a_picture_does_not_see_its_neighbours() {
    let (evaluators, mut photos) = (evaluators(), photos());
    photos.extend_from_within(..3);
    photos.swap(2, 9);
    let protocols = [Protocol::BenchV1];
    let together = &evaluators.images(&protocols, &photos).unwrap()[0];
    for (number, photo) in photos.iter().enumerate() {
        let alone = &evaluators
            .images(&protocols, std::slice::from_ref(photo))
            .unwrap()[0];
        let bits = |features: &Features, row| -> Vec<u32> {
            let row = features.rows().nth(row).unwrap();
            row.iter().map(|value| value.to_bits()).collect()
        };
        assert_eq!(
            bits(&alone.clip, 0),
            bits(&together.clip, number),
            "CLIP of {number}"
        );
        let (alone, together) = (alone.dino.as_ref().unwrap(), together.dino.as_ref().unwrap());
        assert_eq!(bits(alone, 0), bits(together, number), "DINO of {number}");
    }
}

#[test]
fn bench_v1_equals_the_golden_features() {
    check(Protocol::BenchV1, "bench_v1", "clip", "");
}

#[test]
fn vico_2023_equals_the_golden_features() {
    check(Protocol::Vico2023, "vico_2023", "clip_noaa", "");
}

#[test]
fn vico_2023_under_new_torchvision_equals_the_golden_features() {
    check(Protocol::Vico2023Antialiased, "vico_2023", "clip_aa", "_aa");
}

/// Position tables: at 256 pixels DINO's own interpolation is not that of transformers, and the engine has the former.
#[test]
fn dino_positions_follow_facebookresearch() {
    let (golden, images) = (golden(), evaluators().images(&[Protocol::Vico2023], &photos()));
    let ours = images.unwrap().remove(0).dino.unwrap();
    let gap = |name: &str| {
        let theirs = rows(&golden[name]);
        let pairs = ours.rows().zip(&theirs).flat_map(|(a, b)| a.iter().zip(b));
        largest(pairs.map(|(a, b)| f64::from(a - b)))
    };
    let (own, of_transformers) = (gap("feature.vico_2023.dino"), gap("feature.vico_2023.dino_hfpos"));
    assert!(own <= FEATURE_TOLERANCE, "{own:e}");
    assert!(of_transformers > 100.0 * FEATURE_TOLERANCE, "{of_transformers:e}");
}

#[test]
fn an_oracle_leaves_out_self_pairs() {
    let features = |values: &[f32]| Features::new(2, values.to_vec()).unwrap();
    let same = features(&[1., 0., 0., 1., 1., 0.]);
    let references = ImageFeatures {
        clip: same.clone(),
        dino: Some(same),
    };
    let oracle = real_vs_real(&references).unwrap().unwrap();
    assert!((oracle.clip_i - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(oracle.dino_i, Some(oracle.clip_i));
    let one = ImageFeatures {
        clip: features(&[1., 0.]),
        dino: Some(features(&[1., 0.])),
    };
    assert_eq!(real_vs_real(&one).unwrap(), None);
}

#[test]
fn a_copy_is_seen_by_its_closest_reference() {
    let features = |values: &[f32]| Features::new(2, values.to_vec()).unwrap();
    let images = |values| ImageFeatures {
        clip: features(values),
        dino: Some(features(values)),
    };
    let scores = score_images(
        &images(&[3., 0.]),
        &images(&[1., 0., 0., 1.]),
        &features(&[0., 2.]),
    )
    .unwrap();
    assert_eq!(
        (scores[0].clip_t, scores[0].dino_i, scores[0].closest_dino_i),
        (0.0, Some(0.5), Some(1.0))
    );
}

#[test]
fn features_that_cannot_be_compared_are_errors() {
    assert!(matches!(
        Features::new(2, vec![1., f32::NAN]),
        Err(Error::NoDirection { row: 0 })
    ));
    assert!(matches!(
        Features::new(2, vec![1., 1., 0., 0.]),
        Err(Error::NoDirection { row: 1 })
    ));
    assert!(matches!(Features::new(0, vec![]), Err(Error::NotRows { .. })));
    assert!(matches!(
        Features::new(2, vec![1., 2., 3.]),
        Err(Error::NotRows { values: 3, width: 2 })
    ));
    let (two, three) = (
        Features::new(2, vec![1.; 2]).unwrap(),
        Features::new(3, vec![1.; 3]).unwrap(),
    );
    assert!(matches!(
        cosines(&two, &three),
        Err(Error::WidthMismatch { left: 2, right: 3 })
    ));
    let none = ImageFeatures {
        clip: Features::new(2, vec![]).unwrap(),
        dino: Some(Features::new(2, vec![]).unwrap()),
    };
    let some = ImageFeatures {
        clip: two.clone(),
        dino: Some(two.clone()),
    };
    assert!(matches!(
        score_images(&some, &none, &two),
        Err(Error::Empty("reference images"))
    ));
    let uneven = ImageFeatures {
        clip: two.clone(),
        dino: Some(Features::new(2, vec![1.; 4]).unwrap()),
    };
    assert!(matches!(
        score_images(&uneven, &some, &two),
        Err(Error::CountMismatch { clip: 1, dino: 2 })
    ));
}

#[test]
fn every_number_has_a_signature() {
    let digest = "0123456789abcdef0123";
    assert_eq!(
        Protocol::BenchV1.signature(Metric::DinoI, digest, FileFormat::Png),
        "proto:bench-v1.1|m:dino@b3:0123456789ab|pre:short256c224.bicubic.pillow12.imagenet|ref:all|\
         agg:image,ref>prompt>concept|text:-|img:png"
    );
    assert_eq!(
        Protocol::Vico2023.signature(Metric::ClipT, digest, FileFormat::Jpeg),
        "proto:vico-2023.1|m:clip@b3:0123456789ab|pre:sq256.bicubic.pillow12.pm1+t224.noaa.clip|ref:-|\
         agg:image>prompt>concept|text:braces|img:jpg"
    );
    // DreamBench++ looks at the first photo; how near all of them are to each other is measured over all.
    let plus = Protocol::DreamBenchPlus;
    let signature = plus.signature(Metric::ClipI, digest, FileFormat::Png);
    assert!(signature.contains("|ref:first|"), "{signature}");
    let oracle = plus.oracle_signature(Metric::ClipI, digest, FileFormat::Png);
    let of_all = signature.replace("|ref:first|", "|ref:all|");
    assert_eq!(oracle, format!("{of_all}|real:noself"));
    let evaluators = evaluators();
    let signatures = Protocol::ALL.map(|protocol| {
        let metrics = [Metric::ClipT, Metric::ClipI, Metric::DinoI];
        metrics.map(|metric| evaluators.signature(protocol, metric, FileFormat::Png))
    });
    let mut all: Vec<&String> = signatures.iter().flatten().collect();
    all.sort();
    all.dedup();
    // A protocol that leaves DINO out still words its signature, with `pre:-`.
    assert_eq!(all.len(), 3 * Protocol::ALL.len());
}

/// A cosine with half a prompt would be nobody's number but that of Custom Diffusion's script, which asks for it.
#[test]
fn a_text_that_does_not_fit_is_refused_or_cut_as_the_script_does() {
    let evaluators = evaluators();
    let long = format!("a red{}", " dog".repeat(74));
    let beginning = format!("a red{}", " dog".repeat(73));
    for protocol in Protocol::ALL {
        assert_eq!(evaluators.cut(protocol, &[&beginning]).unwrap(), 0, "{protocol}");
        let cut = evaluators.cut(protocol, &[&long, &beginning]);
        if protocol == Protocol::CustomConcept101 {
            assert_eq!(cut.unwrap(), 1);
            let features = |text: &String| evaluators.texts(protocol, &[text]).unwrap();
            assert_eq!(features(&long), features(&beginning));
            continue;
        }
        let refused = cut.unwrap_err().to_string();
        assert!(
            refused.starts_with(&format!("{protocol} compares with `a red dog dog")),
            "{refused}"
        );
        assert!(refused.contains("76 tokens; CLIP reads at most 75"), "{refused}");
        assert!(evaluators.texts(protocol, &[&long]).is_err());
    }
}

#[test]
fn files_are_known_by_their_content() {
    let png = fs::read(parity("metrics/photos/0.png")).unwrap();
    let (png, jpeg): (&[u8], &[u8]) = (&png, &[0xff, 0xd8, 0xff, 0xe0]);
    assert_eq!(FileFormat::of([png, png]), FileFormat::Png);
    assert_eq!(FileFormat::of([jpeg]), FileFormat::Jpeg);
    assert_eq!(FileFormat::of([png, jpeg, png]), FileFormat::Mixed);
}

#[test]
fn protocols_are_found_by_name() {
    for protocol in Protocol::ALL {
        assert_eq!(protocol.name().parse::<Protocol>().unwrap(), protocol);
    }
    let error = "bench-v9".parse::<Protocol>().unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown protocol \"bench-v9\", known are bench-v1, vico-2023, vico-2023-aa, dreambooth-2023, \
         textual-inversion, customconcept101, dreambench-plus"
    );
    assert_eq!(
        Protocol::BenchV1.text("a {} in the jungle", "dog"),
        "a dog in the jungle"
    );
    assert_eq!(
        Protocol::Vico2023.text("a {} in the jungle", "dog"),
        "a {} in the jungle"
    );
}

#[test]
fn dino_takes_any_grid() {
    let dir = parity("metrics/dino");
    let weights = Weights::open(&dir, None, &Device::Cpu).unwrap();
    let vit = Vit::load(&read_config::<VitConfig>(&dir).unwrap(), &weights).unwrap();
    weights.finish().unwrap();
    let pixels = Tensor::zeros((1, 3, 64, 320), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert_eq!(vit.forward(&pixels).unwrap().dims(), [1, 48]);
}

/// Each protocol's own choices, as its published script makes them.
#[test]
fn protocols_word_scale_and_measure_in_their_own_way() {
    let prompt = "a {} in the jungle";
    assert_eq!(Protocol::TextualInversion.text(prompt, "dog"), "a  in the jungle");
    for protocol in [
        Protocol::DreamBooth2023,
        Protocol::CustomConcept101,
        Protocol::DreamBenchPlus,
    ] {
        assert_eq!(protocol.text(prompt, "dog"), "a dog in the jungle");
    }
    for (protocol, metric, cosine, wanted) in [
        (Protocol::CustomConcept101, Metric::ClipT, 0.25, 0.625),
        (Protocol::CustomConcept101, Metric::ClipT, -0.25, 0.0),
        (Protocol::CustomConcept101, Metric::ClipI, -0.25, -0.25),
        (Protocol::DreamBenchPlus, Metric::DinoI, 0.5, 50.0),
        (Protocol::BenchV1, Metric::ClipT, -0.25, -0.25),
    ] {
        let scaled: f64 = protocol.scaled(metric, cosine);
        assert!((scaled - wanted).abs() < 1e-12, "{protocol} {metric}: {scaled}");
    }
    let both = vec![Metric::ClipT, Metric::ClipI];
    let all = vec![Metric::ClipT, Metric::ClipI, Metric::DinoI];
    assert_eq!(Protocol::TextualInversion.metrics(16), both);
    assert_eq!(
        Protocol::DreamBenchPlus.metrics(16),
        both,
        "its DINO has patches of 8"
    );
    assert_eq!(Protocol::DreamBenchPlus.metrics(8), all);
    assert_eq!(Protocol::DreamBooth2023.metrics(16), all);
}

/// Seven protocols look in three ways with CLIP and in two with DINO: five passes, whoever asks.
#[test]
fn a_view_that_protocols_share_is_run_once() {
    let views = Views::of(&Protocol::ALL);
    let plain = ClipView::Squeezed { antialias: false };
    let smooth = ClipView::Squeezed { antialias: true };
    assert_eq!(
        views.clip.into_iter().collect::<Vec<_>>(),
        [ClipView::Cropped, plain, smooth]
    );
    assert_eq!(
        views.dino.into_iter().collect::<Vec<_>>(),
        [DinoView::Cropped, DinoView::Squeezed]
    );
    assert!(Views::of(&[Protocol::TextualInversion]).dino.is_empty());
}

/// Asked together or alone, a protocol gets the same features.
#[test]
fn sharing_a_pass_changes_no_feature() {
    let (evaluators, photos) = (evaluators(), photos());
    let together = evaluators.images(&Protocol::ALL, &photos[..2]).unwrap();
    for (protocol, features) in Protocol::ALL.into_iter().zip(together) {
        assert_eq!(evaluators.images(&[protocol], &photos[..2]).unwrap(), [features]);
    }
}

#[test]
fn health_has_known_answers() {
    let features = |values: &[f32]| Features::new(2, values.to_vec()).unwrap();
    let close = |got: Option<f64>, want: f64| assert!((got.unwrap() - want).abs() < 1e-7, "{got:?}");
    close(diversity(&features(&[1., 0., 2., 0.])).unwrap(), 0.0);
    close(
        diversity(&features(&[1., 0., 0., 1., 0., -1.])).unwrap(),
        1.0 + 1.0 / 3.0,
    );
    assert_eq!(diversity(&features(&[1., 0.])).unwrap(), None);
    // Cosines with (1, 0): 1, 0 and -1; with (0, 2): 0, 1 and 0.
    let (three, two) = (features(&[3., 0., 0., 1., -1., 0.]), features(&[1., 0., 0., 2.]));
    close(mean_cosine(&three, &two).unwrap(), 1.0 / 6.0);
    assert_eq!(mean_cosine(&three, &features(&[])).unwrap(), None);
    assert!(is_first_choice(&[0.1, 0.3, 0.2], 1));
    assert!(!is_first_choice(&[0.1, 0.3, 0.3], 1), "a tie is no win");
    assert_eq!(share_above(&[0.1, 0.5, 0.9, 0.95], 0.6), Some(0.5));
    assert_eq!(share_above(&[], 0.6), None);
    let photos = photos();
    let mut duplicates = Duplicates::default();
    for photo in [0, 1, 0, 0] {
        duplicates.add(&photos[photo]);
    }
    assert_eq!(duplicates.count(), 2);
}
