//! What cannot be done is said: which formats there are instead, which file holds what, what is missing.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use vico_engine::adapter::Adapter;
use vico_engine::exchange::{Facts, File, Format, Method, export, import, renamed};
use vico_engine::tensor_file::Content;

use crate::rig::{adapter, base, exported, refusal};

pub(crate) fn file(name: &str, header: &[(&str, &str)], tensors: &[(&str, &[usize])]) -> File {
    let zeros = |shape: &&[usize]| Tensor::zeros(*shape, DType::F32, &Device::Cpu).unwrap();
    let content = Content {
        metadata: header
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        tensors: tensors
            .iter()
            .map(|(name, shape)| ((*name).to_owned(), zeros(shape)))
            .collect(),
    };
    let bytes = content.to_bytes().unwrap();
    File {
        name: name.to_owned(),
        bytes,
    }
}

#[test]
fn a_format_that_does_not_exist_names_those_that_do() {
    for method in Method::ALL {
        for format in Format::ALL
            .into_iter()
            .filter(|format| !method.formats().contains(format))
        {
            let refused = export(&adapter(method), format, None).unwrap_err().to_string();
            for offered in method.formats() {
                assert!(refused.contains(&format!("`{offered}`")), "{refused}");
            }
        }
    }
    let refused = export(&adapter(Method::Vico), Format::Kohya, None).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "there is no format `kohya` for an adapter of `vico`; there are `compvis`, `vico-official`"
    );
    let whole = export(&adapter(Method::Dreambooth), Format::Diffusers, None)
        .unwrap_err()
        .to_string();
    assert!(whole.contains("folder of the base model"), "{whole}");
    let unknown = export(
        &Adapter::new("tarot", "", "", 1, BTreeMap::new()),
        Format::Kohya,
        None,
    );
    assert!(unknown.unwrap_err().to_string().contains("`tarot`"));
}

#[test]
fn a_word_that_only_the_tokenizer_knows_takes_the_base_model() {
    let sks = renamed(&adapter(Method::TextualInversion), "sks").unwrap();
    let alone = export(&sks, Format::Compvis, None).unwrap_err().to_string();
    assert!(alone.contains("`sks`") && alone.contains("base model"), "{alone}");
    let tokenizer = Some(&base().tokenizer);
    export(&sks, Format::Compvis, tokenizer).unwrap();
    // With the tokenizer at hand the same file comes out for `*` as without.
    let star = adapter(Method::TextualInversion);
    let (with, without) = (
        export(&star, Format::Compvis, tokenizer),
        export(&star, Format::Compvis, None),
    );
    assert_eq!(with.unwrap(), without.unwrap());
    let two = renamed(&adapter(Method::TextualInversion), "<new1>").unwrap();
    let refused = export(&two, Format::Compvis, tokenizer).unwrap_err().to_string();
    assert!(refused.contains("is not one token"), "{refused}");
}

#[test]
fn an_adapter_of_other_tensors_does_not_go_out() {
    for (method, format) in crate::rig::cells() {
        let good = adapter(method);
        let mut tensors = good.tensors().clone();
        tensors.insert(
            "odd".to_owned(),
            Tensor::zeros(2, DType::F32, &Device::Cpu).unwrap(),
        );
        let odd =
            Adapter::new(method.name(), good.placeholder(), "", 1, tensors).with("vico.lora_alpha", "1");
        let refused = export(&odd, format, None).unwrap_err().to_string();
        assert!(refused.contains("odd"), "{method} as {format}: {refused}");
        let empty = Adapter::new(method.name(), "*", "", 1, BTreeMap::new());
        assert!(export(&empty, format, None).is_err(), "{method} as {format}");
    }
}

#[test]
fn files_that_do_not_say_their_word_ask_for_it() {
    let told = |files: &[File], format| {
        let facts = Facts {
            placeholder: Some("*".to_owned()),
            ..Facts::default()
        };
        import(format, files, &facts).unwrap()
    };
    let embedding = file("teapot.safetensors", &[], &[("emb_params", &[2, 32])]);
    let asked = refusal(Format::A1111, std::slice::from_ref(&embedding));
    assert!(
        asked.contains("teapot.safetensors") && asked.contains("must be named"),
        "{asked}"
    );
    assert_eq!(told(&[embedding], Format::A1111).adapter.placeholder(), "*");
    let delta = exported(Method::CustomDiffusion, Format::Compvis);
    assert!(refusal(Format::Compvis, &delta).contains("must be named"));
    assert_eq!(told(&delta, Format::Compvis).adapter.placeholder(), "*");
}

#[test]
fn facts_that_a_method_does_not_have_are_refused() {
    let lora = exported(Method::Lora, Format::Kohya);
    let refused = |facts: Facts| import(Format::Kohya, &lora, &facts).unwrap_err().to_string();
    let word = Some("dog".to_owned());
    let told = [
        (
            Facts {
                placeholder: word.clone(),
                ..Facts::default()
            },
            "placeholder",
        ),
        (
            Facts {
                initializer: word,
                ..Facts::default()
            },
            "initializer",
        ),
        (
            Facts {
                use_mask: Some(false),
                ..Facts::default()
            },
            "mask",
        ),
    ];
    for (facts, name) in told {
        assert_eq!(refused(facts), format!("an adapter of `lora` has no {name}"));
    }
    assert!(renamed(&adapter(Method::Dreambooth), "x").is_err());
}
