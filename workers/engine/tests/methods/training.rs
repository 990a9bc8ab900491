//! What trains and what does not; resuming, micro-batches, refusals.

use std::collections::BTreeSet;

use vico_engine::adapter::Adapter;
use vico_engine::methods::training::TrainingState;
use vico_engine::methods::{Recipe, custom_diffusion, lora, textual_inversion};
use vico_engine::models::unet::Checkpointing;

use crate::low_rank::{untrained, without_decay};
use crate::rig::{Method, Recorder, base, largest, lora_spec, photos, recipe, textual_inversion_spec};

/// The start of every tensor in a method's adapter, as the largest distance that it moved.
fn moved(method: Method, adapter: &Adapter, name: &str) -> f32 {
    let tensor = &adapter.tensors()[name];
    let local = name.strip_prefix("unet.").unwrap_or(name);
    match method {
        Method::CustomDiffusion if name.starts_with("unet.") => {
            largest(&(tensor - &base().unet_tensors()[local]).unwrap())
        }
        Method::DreamBooth => largest(tensor),
        Method::Lora => largest(&(tensor - &untrained().tensors()[name]).unwrap()),
        Method::TextualInversion | Method::CustomDiffusion => {
            let dog = base().tokenizer.single_token("dog").unwrap().unwrap();
            let start = base().text.embedding(dog).unwrap();
            largest(&tensor.broadcast_sub(&start).unwrap())
        }
    }
}

/// Names of the tensors that a method must train, and no others.
fn expected(method: Method) -> BTreeSet<String> {
    let of_unet = |name: &String| format!("unet.{name}");
    let config = base().unet.config();
    match method {
        Method::TextualInversion => BTreeSet::from(["string_to_param.*".to_owned()]),
        Method::CustomDiffusion => {
            let names = custom_diffusion::trained_names(config);
            let names = names.iter().map(of_unet);
            names.chain(["string_to_param.*".to_owned()]).collect()
        }
        Method::DreamBooth => {
            let text = base().text_tensors().keys();
            let text = text.map(|name| format!("text_encoder.{name}"));
            base().unet_tensors().keys().map(of_unet).chain(text).collect()
        }
        Method::Lora => {
            let modules = lora::modules(config, &lora_spec(recipe(1)).targets).unwrap();
            let parts = |module: &String| ["A", "B"].map(|part| format!("unet.{module}.lora_{part}.weight"));
            modules.iter().flat_map(parts).collect()
        }
    }
}

#[test]
fn everything_trainable_moves_and_is_all_that_the_adapter_holds() {
    for method in Method::ALL {
        let adapter = match method {
            Method::Lora => without_decay(),
            _ => method.trained(),
        };
        let names: BTreeSet<String> = adapter.tensors().keys().cloned().collect();
        assert_eq!(names, expected(method), "{method:?}");
        for name in &names {
            assert!(
                moved(method, &adapter, name) > 0.0,
                "{method:?}: {name} did not move"
            );
        }
    }
}

/// The networks of the base model are shared with every training: none may change under it.
#[test]
fn the_base_model_stays_as_it_was() {
    let digest = || {
        let networks = [base().unet_tensors(), base().text_tensors()];
        let mut all = blake3::Hasher::new();
        for (name, tensor) in networks.into_iter().flatten() {
            all.update(name.as_bytes());
            for value in tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap() {
                all.update(&value.to_le_bytes());
            }
        }
        all.finalize()
    };
    let before = digest();
    for method in Method::ALL {
        method.train(recipe(1), None, &mut Recorder::default()).unwrap();
        assert_eq!(digest(), before, "{method:?}");
    }
}

#[test]
fn every_report_has_a_loss_and_a_gradient_for_each_group() {
    let groups: [&[&str]; 4] = [
        &["embedding"],
        &["unet", "text_encoder"],
        &["embedding", "cross_attention"],
        &["lora"],
    ];
    for (method, groups) in Method::ALL.into_iter().zip(groups) {
        let mut recorder = Recorder::default();
        method.train(recipe(1), None, &mut recorder).unwrap();
        let report = &recorder.reports[0];
        let named: Vec<&str> = report.grad_norms.iter().map(|(name, _)| *name).collect();
        assert_eq!(named, groups, "{method:?}");
        assert!(
            report.grad_norms.iter().all(|(_, norm)| *norm > 0.0),
            "{method:?}"
        );
        let prior = if matches!(method, Method::TextualInversion) {
            0.0
        } else {
            0.5 * report.regulariser
        };
        assert!(
            (report.loss - report.mse - prior).abs() < 1e-5 * report.loss,
            "{method:?}"
        );
    }
}

#[test]
fn resuming_equals_never_stopping_bit_by_bit() {
    for method in Method::ALL {
        let whole = method.trained();
        let mut first = Recorder {
            stop_after: Some(1),
            ..Recorder::default()
        };
        method.train(recipe(2), None, &mut first).unwrap();
        let state = TrainingState::from_bytes(&first.state.unwrap().to_bytes().unwrap()).unwrap();
        let resumed = method
            .train(recipe(2), Some(state), &mut Recorder::default())
            .unwrap();
        assert_eq!(
            resumed.to_bytes().unwrap(),
            whole.to_bytes().unwrap(),
            "{method:?}"
        );
    }
}

/// How the batch is split changes no draw and no definition, only the order of f32 additions.
#[test]
fn the_micro_batch_does_not_matter() {
    for method in Method::ALL {
        let first_report = |micro_batch| {
            let mut recorder = Recorder::default();
            let recipe = Recipe {
                micro_batch,
                ..recipe(1)
            };
            method.train(recipe, None, &mut recorder).unwrap();
            recorder.reports.remove(0)
        };
        let (whole, split) = (first_report(2), first_report(1));
        assert!((whole.loss - split.loss).abs() < 1e-5 * whole.loss, "{method:?}");
        for ((name, norm), (_, other)) in whole.grad_norms.iter().zip(&split.grad_norms) {
            assert!(
                (norm - other).abs() <= 1e-4 * norm,
                "{method:?} {name}: {norm} {other}"
            );
        }
    }
}

#[test]
fn a_state_of_another_method_or_setting_is_refused() {
    let mut first = Recorder {
        stop_after: Some(1),
        ..Recorder::default()
    };
    Method::Lora.train(recipe(2), None, &mut first).unwrap();
    let state = first.state.unwrap();
    let other = Recipe {
        seed: 24,
        ..recipe(2)
    };
    for (method, recipe) in [(Method::DreamBooth, recipe(2)), (Method::Lora, other)] {
        let refusal = method
            .train(recipe, Some(state.clone()), &mut Recorder::default())
            .unwrap_err();
        assert!(refusal.to_string().contains("`vico.training`"), "{refusal}");
    }
}

#[test]
fn activation_checkpointing_changes_nothing_for_textual_inversion() {
    let with = |checkpointing| {
        let spec = textual_inversion::TextualInversionSpec {
            checkpointing,
            ..textual_inversion_spec(recipe(1), 1)
        };
        let mut recorder = Recorder {
            stop_after: Some(1),
            ..Recorder::default()
        };
        textual_inversion::train(base(), &spec, &photos(0..2), None, &mut recorder).unwrap();
        let state = recorder.state.unwrap().to_bytes().unwrap();
        let mut tensors = candle_core::safetensors::load_buffer(&state, &candle_core::Device::Cpu).unwrap();
        tensors.remove("first.string_to_param.*").unwrap()
    };
    // The first moment after one step is the gradient, up to a factor.
    let (plain, checkpointed) = (with(Checkpointing::Off), with(Checkpointing::All));
    assert!(largest(&(&plain - &checkpointed).unwrap()) < 2e-5 * largest(&plain));
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let refused = |recipe: Recipe| {
        let outcome = Method::CustomDiffusion.train(recipe, None, &mut Recorder::default());
        outcome.unwrap_err().to_string()
    };
    let sizes = refused(Recipe {
        image_size: 100,
        ..recipe(1)
    });
    assert_eq!(sizes, "image_size must be a multiple of 64, got 100");
    let decay = refused(Recipe {
        weight_decay: f64::NAN,
        ..recipe(1)
    });
    assert!(decay.starts_with("weight_decay must be"), "{decay}");
    let spec = textual_inversion_spec(recipe(1), 0);
    let none = textual_inversion::train(base(), &spec, &photos(0..1), None, &mut Recorder::default());
    assert_eq!(none.unwrap_err().to_string(), "vectors must be at least 1, got 0");
    let mut spec = lora_spec(recipe(1));
    spec.targets = vec!["to_z".to_owned()];
    let target = lora::train(
        base(),
        &spec,
        (&photos(0..1), None),
        None,
        &mut Recorder::default(),
    );
    assert!(target.unwrap_err().to_string().ends_with("got to_z"));
    let empty = lora::train(
        base(),
        &lora_spec(recipe(1)),
        (&[], None),
        None,
        &mut Recorder::default(),
    );
    assert_eq!(empty.unwrap_err().to_string(), "no reference images");
}
