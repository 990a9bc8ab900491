//! Adapters as files, and pictures made with them.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use vico_engine::adapter::Adapter;
use vico_engine::methods::Personalised;

use crate::rig::{Method, Recorder, base, sample_spec};

fn pictures(adapter: &Adapter, prompt: &str) -> Vec<Vec<u8>> {
    let opened = Personalised::open(base(), adapter).unwrap();
    let images = opened
        .sample(&sample_spec(prompt), &mut Recorder::default())
        .unwrap();
    images
        .into_iter()
        .map(vico_engine::image::Rgb8::into_data)
        .collect()
}

#[test]
fn an_adapter_read_from_its_file_draws_the_same_pictures() {
    for method in Method::ALL {
        let adapter = method.trained();
        let read = Adapter::from_bytes(&adapter.to_bytes().unwrap(), &Device::Cpu).unwrap();
        let drawn = pictures(&adapter, method.prompt());
        assert_eq!(pictures(&read, method.prompt()), drawn, "{method:?}");
        let plain = Personalised::base(base())
            .sample(&sample_spec(method.prompt()), &mut Recorder::default())
            .unwrap();
        assert_ne!(
            plain[0].data(),
            drawn[0],
            "{method:?}: what was learned shows nowhere"
        );
    }
}

/// `adapter` with its tensors changed.
pub(crate) fn changed(adapter: &Adapter, change: impl FnOnce(&mut BTreeMap<String, Tensor>)) -> Adapter {
    let mut tensors = adapter.tensors().clone();
    change(&mut tensors);
    let start = Adapter::new(adapter.method(), adapter.placeholder(), "dog", 2, tensors);
    let facts = adapter.metadata().iter();
    facts.fold(start, |adapter, (key, value)| adapter.with(key, value))
}

fn refusal(adapter: &Adapter) -> String {
    Personalised::open(base(), adapter).err().unwrap().to_string()
}

#[test]
fn a_missing_unexpected_or_misshapen_tensor_is_named() {
    for method in Method::ALL {
        let adapter = method.trained();
        let name = adapter.tensors().keys().next_back().unwrap().clone();
        let without = changed(&adapter, |tensors| drop(tensors.remove(&name)));
        assert!(
            refusal(&without).contains(&name),
            "{method:?}: {}",
            refusal(&without)
        );
        let odd = Tensor::zeros((3, 5), candle_core::DType::F32, &Device::Cpu).unwrap();
        let misshapen = changed(&adapter, |tensors| {
            drop(tensors.insert(name.clone(), odd.clone()));
        });
        let stem = name.trim_start_matches("unet.").trim_end_matches("B.weight");
        assert!(
            refusal(&misshapen).contains(stem),
            "{method:?}: {}",
            refusal(&misshapen)
        );
        let more = changed(&adapter, |tensors| {
            drop(tensors.insert("unet.foreign".to_owned(), odd));
        });
        assert!(
            refusal(&more).contains("unet.foreign"),
            "{method:?}: {}",
            refusal(&more)
        );
    }
}

/// A file made elsewhere may have biases, or the magnitudes of DoRA: left out, it would draw other pictures.
#[test]
fn a_tensor_beside_the_factors_of_a_layer_is_named() {
    let adapter = Method::Lora.trained();
    let find = |name: &String| name.strip_suffix("to_q.lora_A.weight").map(str::to_owned);
    let attention = adapter.tensors().keys().find_map(find).unwrap();
    for stray in ["lora_A.bias", "lora_magnitude_vector"] {
        let name = format!("{attention}to_q.{stray}");
        let tensor = Tensor::zeros(2, candle_core::DType::F32, &Device::Cpu).unwrap();
        let more = changed(&adapter, |tensors| drop(tensors.insert(name.clone(), tensor)));
        assert!(refusal(&more).contains(&name), "{}", refusal(&more));
    }
}

#[test]
fn a_rank_that_factors_cannot_have_is_refused() {
    for rank in ["2.5", "0", "-2", ""] {
        let message = refusal(&Method::Lora.trained().with("vico.lora_rank", rank));
        assert!(message.contains("a whole number from 1 on"), "{rank}: {message}");
    }
    let message = refusal(&Method::Lora.trained().with("vico.lora_rank", "3"));
    assert!(message.contains("at rank 3"), "{message}");
}

#[test]
fn another_methods_adapter_is_refused() {
    let adapter = Adapter::new("vico", "*", "dog", 1, BTreeMap::new());
    assert!(refusal(&adapter).contains("made by `vico`"));
}

#[test]
fn a_word_of_several_vectors_must_fit_the_prompt() {
    let opened = Personalised::open(base(), &Method::TextualInversion.trained()).unwrap();
    // 74 words and the placeholder are 75 tokens for one vector, and 76 for the two of this adapter.
    let prompt = format!("*{}", " dog".repeat(74));
    let refused = opened.sample(&sample_spec(&prompt), &mut Recorder::default());
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("has 76 tokens"), "{message}");
}

/// What DreamBooth keeps is the difference: the base model plus it is what was trained.
#[test]
fn a_difference_of_zero_is_the_base_model() {
    let nothing = changed(&Method::DreamBooth.trained(), |tensors| {
        for tensor in tensors.values_mut() {
            *tensor = tensor.zeros_like().unwrap();
        }
    });
    let plain = Personalised::base(base())
        .sample(&sample_spec("a dog"), &mut Recorder::default())
        .unwrap();
    assert_eq!(pictures(&nothing, "a dog")[0], plain[0].data());
}
