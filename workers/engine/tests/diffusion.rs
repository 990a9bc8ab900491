//! The noise schedule, the DDIM grid and the seeded noise against published values.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; exact values are meant"
)]

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde_json::Value;
use vico_engine::diffusion::{Ddim, NoiseKey, NoiseSchedule, Purpose, schedule};

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/parity")
        .join(path)
}

fn published() -> NoiseSchedule {
    NoiseSchedule::from_config(&fixture("tiny-sd/scheduler/scheduler_config.json")).unwrap()
}

/// A schedule from the published configuration with one key changed.
fn with(key: &str, value: Value) -> Result<NoiseSchedule, schedule::Error> {
    let text = std::fs::read_to_string(fixture("tiny-sd/scheduler/scheduler_config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config[key] = value;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config.to_string()).unwrap();
    NoiseSchedule::from_config(file.path())
}

fn key() -> NoiseKey {
    NoiseKey {
        seed: 42,
        concept: "dog".into(),
        prompt: "a photo of a *".into(),
        image: 3,
    }
}

#[test]
fn alpha_bar_has_the_published_values() {
    let golden = [
        (0, 0.99915),
        (1, 0.998296028),
        (21, 0.980380748),
        (501, 0.274999067),
        (999, 0.004660099),
    ];
    for (t, alpha_bar) in golden {
        assert!((published().alpha_bar(t) - alpha_bar).abs() < 5e-10, "t = {t}");
    }
}

#[test]
fn fifty_steps_go_from_981_to_1_and_end_at_the_first_alpha_bar() {
    let ddim = Ddim::new(&published(), 50, 0.0).unwrap();
    let times: Vec<usize> = ddim.grid().iter().map(|at| at.timestep).collect();
    assert_eq!(times, (0..50).rev().map(|k| 20 * k + 1).collect::<Vec<_>>());
    assert_eq!(ddim.grid()[49].alpha_bar_prev, published().alpha_bar(0));
    let to_one = with("set_alpha_to_one", true.into()).unwrap();
    assert_eq!(
        Ddim::new(&to_one, 50, 0.0).unwrap().grid()[49].alpha_bar_prev,
        1.0
    );
}

#[test]
fn steps_offset_moves_the_grid() {
    let schedule = with("steps_offset", 0.into()).unwrap();
    let ddim = Ddim::new(&schedule, 10, 0.0).unwrap();
    assert_eq!(ddim.grid()[0].timestep, 900);
    assert_eq!(ddim.grid()[9].timestep, 0);
    assert_eq!(ddim.grid()[9].alpha_bar_prev, schedule.alpha_bar(0));
}

#[test]
fn a_grid_outside_the_schedule_is_refused() {
    for steps in [0, 1000, 1001] {
        let error = Ddim::new(&published(), steps, 0.0).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("cannot sample with {steps} denoise steps: the noise schedule allows 1 to 999")
        );
    }
    assert!(Ddim::new(&published(), 999, 0.0).is_ok());
    assert!(Ddim::new(&published(), 50, -0.1).is_err());
    assert!(Ddim::new(&published(), 50, f64::NAN).is_err());
}

#[test]
fn what_would_change_images_silently_is_refused_by_key() {
    let cases = [
        ("beta_schedule", Value::from("linear")),
        ("prediction_type", "v_prediction".into()),
        ("timestep_spacing", "trailing".into()),
        ("trained_betas", vec![0.1].into()),
        ("clip_sample", true.into()),
        ("thresholding", true.into()),
        ("rescale_betas_zero_snr", true.into()),
        ("num_train_timesteps", 1.into()),
    ];
    for (key, value) in cases {
        let error = with(key, value).unwrap_err().to_string();
        assert!(error.contains(&format!("`{key}`")), "{error}");
    }
    assert!(with("beta_start", "x".into()).is_err());
    assert!(NoiseSchedule::from_config(Path::new("absent.json")).is_err());
}

/// A schedule is computed whole when it is read: a number without a bound would ask for all memory.
#[test]
fn a_schedule_of_absurd_length_is_refused_before_it_is_made() {
    let train_timesteps = |number: u64| with("num_train_timesteps", number.into());
    for absurd in [100_001, 1 << 40, u64::MAX] {
        let error = train_timesteps(absurd).unwrap_err().to_string();
        let said = format!("`num_train_timesteps` is {absurd}, only 2 to 100000 (");
        assert!(error.contains(&said), "{error}");
    }
    assert_eq!(train_timesteps(100_000).unwrap().train_timesteps(), 100_000);
}

/// Going down one step with the very noise that was added lands on the same noise at the lower level.
#[test]
fn denoising_with_the_true_noise_is_exact() {
    let (schedule, device) = (published(), Device::Cpu);
    let clean = key()
        .stream(Purpose::TargetPosterior, 0)
        .normal((1, 4, 8, 8), &device)
        .unwrap();
    let noise = key()
        .stream(Purpose::TrainNoise, 0)
        .normal((1, 4, 8, 8), &device)
        .unwrap();
    let ddim = Ddim::new(&schedule, 20, 0.0).unwrap();
    for pair in ddim.grid().windows(2) {
        let noisy = schedule.add_noise(&clean, &noise, &[pair[0].timestep]).unwrap();
        let expected = schedule.add_noise(&clean, &noise, &[pair[1].timestep]).unwrap();
        let got = ddim.denoise(&pair[0], &noisy, &noise, None).unwrap();
        let differences = (got - expected).unwrap().flatten_all().unwrap();
        let differences = differences.to_vec1::<f32>().unwrap();
        assert!(differences.into_iter().all(|one| one.abs() < 2e-5));
    }
}

/// With η > 0 the variance stays that of the schedule: what fresh noise adds, the old noise loses.
#[test]
fn fresh_noise_replaces_old_noise_of_equal_variance() {
    let (schedule, device) = (published(), Device::Cpu);
    let ddim = Ddim::new(&schedule, 20, 1.0).unwrap();
    let zero = Tensor::zeros((1, 4, 64, 64), candle_core::DType::F32, &device).unwrap();
    let normal = |purpose| key().stream(purpose, 1).normal(zero.dims(), &device).unwrap();
    let (old, fresh) = (normal(Purpose::TrainNoise), normal(Purpose::DenoiseNoise));
    let at = ddim.grid()[5];
    let noisy = schedule.add_noise(&zero, &old, &[at.timestep]).unwrap();
    let after = ddim.denoise(&at, &noisy, &old, Some(&fresh)).unwrap();
    let variance = after
        .sqr()
        .unwrap()
        .mean_all()
        .unwrap()
        .to_scalar::<f32>()
        .unwrap();
    assert!(
        (f64::from(variance) - (1.0 - at.alpha_bar_prev)).abs() < 0.03,
        "{variance}"
    );
    assert!(
        ddim.denoise(&at, &noisy, &old, None).is_err(),
        "noise is needed and must not be forgotten"
    );
}

#[test]
fn every_sample_has_its_own_timestep() {
    let (schedule, device) = (published(), Device::Cpu);
    let normal = |i| {
        key()
            .stream(Purpose::TrainNoise, i)
            .normal((2, 4, 4, 4), &device)
            .unwrap()
    };
    let both = schedule.add_noise(&normal(0), &normal(1), &[10, 900]).unwrap();
    for (row, t) in [(0, 10), (1, 900)] {
        let part = |tensor: Tensor| tensor.narrow(0, row, 1).unwrap();
        let alone = schedule
            .add_noise(&part(normal(0)), &part(normal(1)), &[t])
            .unwrap();
        let values = |tensor: Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values(alone), values(part(both.clone())));
    }
    assert!(schedule.add_noise(&normal(0), &normal(1), &[0, 1000]).is_err());
}

/// Pins the construction of `diffusion::noise`: if this fails, every published number changes.
#[test]
fn known_answers() {
    let device = Device::Cpu;
    let normals = key()
        .stream(Purpose::InitialLatents, 7)
        .normal(5, &device)
        .unwrap()
        .to_vec1::<f32>()
        .unwrap();
    let bits: Vec<u32> = normals.iter().map(|value| value.to_bits()).collect();
    assert_eq!(bits, KNOWN_NORMALS);
    let mut integers = key().stream(Purpose::TrainTimestep, 0);
    assert_eq!([0; 6].map(|_| integers.below(1000)), KNOWN_INTEGERS);
    let uniform = key()
        .stream(Purpose::InitialWeights, 0)
        .uniform(0.5, 3, &device)
        .unwrap();
    let bits: Vec<u32> = uniform
        .to_vec1::<f32>()
        .unwrap()
        .iter()
        .map(|value| value.to_bits())
        .collect();
    assert_eq!(bits, KNOWN_UNIFORM);
}

const KNOWN_NORMALS: [u32; 5] = [3208382356, 1061904918, 1066984662, 3207254891, 1058193093];
const KNOWN_INTEGERS: [usize; 6] = [921, 351, 6, 913, 347, 881];
const KNOWN_UNIFORM: [u32; 3] = [3196224361, 1043021833, 1025358621];

#[test]
fn every_part_of_the_key_matters() {
    let base = key();
    let draw = |key: &NoiseKey, purpose, index| key.stream(purpose, index).below(u32::MAX as usize);
    let reference = draw(&base, Purpose::TrainNoise, 0);
    let others = [
        draw(
            &NoiseKey {
                seed: 43,
                ..base.clone()
            },
            Purpose::TrainNoise,
            0,
        ),
        draw(
            &NoiseKey {
                concept: "cat".into(),
                ..base.clone()
            },
            Purpose::TrainNoise,
            0,
        ),
        draw(
            &NoiseKey {
                prompt: "a *".into(),
                ..base.clone()
            },
            Purpose::TrainNoise,
            0,
        ),
        draw(
            &NoiseKey {
                image: 4,
                ..base.clone()
            },
            Purpose::TrainNoise,
            0,
        ),
        draw(&base, Purpose::TrainCaption, 0),
        draw(&base, Purpose::TrainNoise, 1),
    ];
    assert!(others.iter().all(|other| *other != reference));
    // Texts are delimited: moving a letter from one to the next is another key.
    let split = |concept: &str, prompt: &str| NoiseKey {
        concept: concept.into(),
        prompt: prompt.into(),
        ..base.clone()
    };
    let (left, right) = (split("ab", "c"), split("a", "bc"));
    assert_ne!(
        draw(&left, Purpose::TrainNoise, 0),
        draw(&right, Purpose::TrainNoise, 0)
    );
}

#[test]
fn normals_are_standard_normal() {
    let values = key()
        .stream(Purpose::TrainNoise, 9)
        .normal(200_001, &Device::Cpu)
        .unwrap();
    let values: Vec<f64> = values
        .to_vec1::<f32>()
        .unwrap()
        .into_iter()
        .map(f64::from)
        .collect();
    let mean_of =
        |power: i32| values.iter().map(|value| value.powi(power)).sum::<f64>() / values.len() as f64;
    assert!(
        mean_of(1).abs() < 0.01 && (mean_of(2) - 1.0).abs() < 0.02,
        "{} {}",
        mean_of(1),
        mean_of(2)
    );
    assert!(
        mean_of(3).abs() < 0.03 && (mean_of(4) - 3.0).abs() < 0.1,
        "{} {}",
        mean_of(3),
        mean_of(4)
    );
}

/// The first numbers of a long draw are those of a short one: length does not enter the key.
#[test]
fn a_longer_draw_continues_a_shorter_one() {
    let draw = |count: usize| {
        let stream = &mut key().stream(Purpose::TrainNoise, 2);
        stream
            .normal(count, &Device::Cpu)
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
    };
    assert_eq!(draw(7), draw(4096)[..7]);
}
