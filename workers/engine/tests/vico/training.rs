//! The train loop: resuming, micro-batches, refusals, and what a training leaves behind.

use std::collections::{BTreeMap, BTreeSet};

use crate::tiny::{Recorder, base, photos, relative, spec};
use candle_core::{Device, Tensor};
use vico_engine::adapter::Adapter;
use vico_engine::methods::training::TrainingState;
use vico_engine::methods::vico::learned::Learned;
use vico_engine::methods::vico::{VicoSpec, train};
use vico_engine::models::unet::Checkpointing;

fn run(spec: &VicoSpec, resume: Option<TrainingState>, recorder: &mut Recorder) -> Adapter {
    train(base(), spec, &photos(3), resume, recorder).unwrap()
}

fn refusal(spec: &VicoSpec, images: usize) -> String {
    train(base(), spec, &photos(images), None, &mut Recorder::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn resuming_equals_never_stopping_bit_by_bit() {
    let spec = VicoSpec { steps: 6, ..spec() };
    let mut uninterrupted = Recorder::default();
    let whole = run(&spec, None, &mut uninterrupted);
    let mut first = Recorder {
        stop_after: Some(3),
        ..Recorder::default()
    };
    let half = run(&spec, None, &mut first);
    assert_eq!(half.metadata()["vico.steps"], "3");
    let state = TrainingState::from_bytes(&first.state.unwrap().to_bytes().unwrap()).unwrap();
    assert_eq!(state.steps_done().unwrap(), 3);
    let mut second = Recorder::default();
    let resumed = run(&spec, Some(state), &mut second);
    assert_eq!(resumed.to_bytes().unwrap(), whole.to_bytes().unwrap());
    assert_eq!(second.reports[0].step, 4);
    assert_eq!(
        second.reports[2].loss.to_bits(),
        uninterrupted.reports[5].loss.to_bits()
    );
}

/// How the batch is split changes no draw and no definition, only the order of f32 additions.
#[test]
fn the_micro_batch_does_not_matter() {
    let split = |micro_batch| {
        let mut recorder = Recorder::default();
        let spec = VicoSpec {
            steps: 1,
            batch: 4,
            micro_batch,
            ..spec()
        };
        (run(&spec, None, &mut recorder), recorder.reports.remove(0))
    };
    let (adapter, whole) = split(4);
    for micro_batch in [1, 3] {
        let (other, report) = split(micro_batch);
        let close = |a: f32, b: f32| assert!((a - b).abs() <= 2e-6 * b.abs(), "{micro_batch}: {a} {b}");
        close(report.loss, whole.loss);
        close(report.mse, whole.mse);
        close(report.regulariser, whole.regulariser);
        for ((name, norm), (_, other)) in whole.grad_norms.iter().zip(&report.grad_norms) {
            assert!((norm - other).abs() <= 2e-5 * norm, "{name}: {norm} {other}");
        }
        let embedding = |adapter: &Adapter| adapter.tensors()["string_to_param.*"].clone();
        assert!(relative(&embedding(&other), &embedding(&adapter)) < 1e-4);
    }
}

/// Compared are the gradients of one train step, as the optimiser's first moments: AdamW would blow the rounding of a
/// gradient near zero up to a whole step.
#[test]
fn checkpointing_does_not_matter() {
    let gradients = |checkpointing| {
        let spec = VicoSpec {
            checkpointing,
            ..spec()
        };
        let mut recorder = Recorder {
            stop_after: Some(1),
            ..Recorder::default()
        };
        run(&spec, None, &mut recorder);
        let state = recorder.state.unwrap().to_bytes().unwrap();
        let tensors = candle_core::safetensors::load_buffer(&state, &Device::Cpu).unwrap();
        let first = tensors.into_iter().filter(|(name, _)| name.starts_with("first."));
        first.collect::<BTreeMap<String, Tensor>>()
    };
    let (plain, checkpointed) = (gradients(Checkpointing::Off), gradients(Checkpointing::All));
    assert_eq!(plain.len(), 81);
    for (name, gradient) in plain {
        assert!(relative(&checkpointed[&name], &gradient) < 5e-5, "{name}");
    }
}

#[test]
fn every_step_is_reported_with_its_parts() {
    let mut recorder = Recorder::default();
    run(&spec(), None, &mut recorder);
    assert_eq!(
        recorder
            .reports
            .iter()
            .map(|report| (report.step, report.of))
            .collect::<Vec<_>>(),
        [(1, 2), (2, 2)]
    );
    for report in &recorder.reports {
        let sum = report.mse + 5e-4 * report.regulariser;
        assert!((report.loss - sum).abs() < 1e-6 && report.seconds > 0.0);
        let groups: Vec<&str> = report.grad_norms.iter().map(|(name, _)| *name).collect();
        assert_eq!(groups, ["embedding", "image_attention"]);
        assert!(
            report
                .grad_norms
                .iter()
                .all(|(_, norm)| norm.is_finite() && *norm > 0.0)
        );
    }
}

#[test]
fn a_loss_that_is_not_finite_stops_with_step_and_name() {
    let error = refusal(
        &VicoSpec {
            reg_weight: 1e39,
            ..spec()
        },
        2,
    );
    assert_eq!(error, "train step 1: loss is not finite (inf)");
    let error = refusal(
        &VicoSpec {
            steps: 9,
            lr_embedding: 1e38,
            ..spec()
        },
        2,
    );
    assert!(
        error.starts_with("train step 2: ") && error.contains("is not finite"),
        "{error}"
    );
}

#[test]
fn a_state_of_another_training_is_refused() {
    let mut recorder = Recorder {
        stop_after: Some(1),
        ..Recorder::default()
    };
    run(&spec(), None, &mut recorder);
    let state = recorder.state.unwrap();
    let other = VicoSpec { seed: 24, ..spec() };
    let error = train(base(), &other, &photos(3), Some(state), &mut Recorder::default()).unwrap_err();
    assert!(error.to_string().contains("vico.training"), "{error}");
    assert!(TrainingState::from_bytes(b"not a state").is_err());
}

#[test]
fn what_makes_no_sense_is_refused() {
    assert_eq!(refusal(&spec(), 0), "no reference images");
    assert!(refusal(&VicoSpec { batch: 0, ..spec() }, 1).starts_with("batch must be at least 1"));
    assert!(
        refusal(
            &VicoSpec {
                micro_batch: 0,
                ..spec()
            },
            1
        )
        .starts_with("micro_batch must be")
    );
    assert!(
        refusal(
            &VicoSpec {
                lr_embedding: f64::NAN,
                ..spec()
            },
            1
        )
        .starts_with("lr_embedding must be")
    );
    assert!(
        refusal(
            &VicoSpec {
                image_size: 100,
                ..spec()
            },
            1
        )
        .contains("image_size")
    );
}

#[test]
fn an_adapter_holds_the_embedding_and_eighty_tensors_under_official_names() {
    let adapter = run(&spec(), None, &mut Recorder::default());
    let order = std::fs::read_to_string(crate::tiny::fixture("vico/ica_order.json")).unwrap();
    let mut expected: BTreeSet<String> = serde_json::from_str(&order).unwrap();
    assert_eq!(expected.len(), 80);
    expected.insert("string_to_param.*".to_owned());
    assert_eq!(
        adapter.tensors().keys().cloned().collect::<BTreeSet<_>>(),
        expected
    );
    assert_eq!(adapter.metadata()["vico.use_mask"], "true");
    let read = Adapter::from_bytes(&adapter.to_bytes().unwrap(), &Device::Cpu).unwrap();
    assert_eq!(
        Learned::from_adapter(base(), &read)
            .unwrap()
            .image_attention
            .site_count(),
        4
    );
}

/// Wrong names must not leave random weights in place: every tensor is wanted, and no other.
#[test]
fn an_adapter_that_does_not_fit_is_refused() {
    let adapter = run(&spec(), None, &mut Recorder::default());
    let rebuilt = |method: &str, change: fn(&mut Tensors)| {
        let mut tensors = adapter.tensors().clone();
        change(&mut tensors);
        let adapter = Adapter::new(method, "*", "dog", 2, tensors);
        Learned::from_adapter(base(), &adapter).unwrap_err().to_string()
    };
    assert!(rebuilt("lora", |_| ()).contains("made by `lora`"));
    assert!(rebuilt("vico", |tensors| drop(tensors.pop_first())).contains("output_blocks"));
    assert!(rebuilt("vico", |tensors| put(tensors, "unknown")).contains("unknown"));
    assert!(rebuilt("vico", |tensors| put(tensors, BIAS)).contains(BIAS));
}

type Tensors = BTreeMap<String, Tensor>;

const BIAS: &str = "diffusion_model.output_blocks.4.1.image_cross_attention.norm1.bias";

/// Puts a tensor of the embedding's shape under `name`.
fn put(tensors: &mut Tensors, name: &str) {
    let tensor = tensors["string_to_param.*"].clone();
    tensors.insert(name.to_owned(), tensor);
}

/// One photo is its own reference; the draws of a longer training begin with those of a shorter one.
#[test]
fn one_photo_is_enough_and_draws_do_not_depend_on_the_length() {
    let losses = |steps| {
        let mut recorder = Recorder::default();
        train(
            base(),
            &VicoSpec { steps, ..spec() },
            &photos(1),
            None,
            &mut recorder,
        )
        .unwrap();
        recorder
            .reports
            .iter()
            .map(|report| report.loss.to_bits())
            .collect::<Vec<_>>()
    };
    assert_eq!(losses(1), losses(2)[..1]);
}
