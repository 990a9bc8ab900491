//! Adapter files: one content, one digest; foreign or damaged bytes are refused.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use proptest::prelude::*;
use vico_engine::adapter::Adapter;
use vico_engine::tensor_file::{Content, Error};

fn adapter() -> Adapter {
    let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
    let tensors = BTreeMap::from([
        (
            "string_to_param.*".to_owned(),
            tensor(&[0.5, -1.5, f32::MIN_POSITIVE]),
        ),
        ("a".to_owned(), tensor(&[1.0])),
    ]);
    Adapter::new("vico", "*", "dog", 400, tensors).with("vico.base", "c0ffee")
}

#[test]
fn an_adapter_survives_its_file() {
    let read = Adapter::from_bytes(&adapter().to_bytes().unwrap(), &Device::Cpu).unwrap();
    assert_eq!(read.metadata(), adapter().metadata());
    assert_eq!((read.method(), read.placeholder()), ("vico", "*"));
    assert_eq!(read.metadata()["vico.steps"], "400");
    for (name, tensor) in adapter().tensors() {
        assert_eq!(
            read.tensors()[name].to_vec1::<f32>().unwrap(),
            tensor.to_vec1::<f32>().unwrap()
        );
    }
}

#[test]
fn equal_content_is_equal_bytes() {
    let first = adapter().to_bytes().unwrap();
    for _ in 0..16 {
        assert_eq!(adapter().to_bytes().unwrap(), first);
    }
}

/// Other programs read the file too.
#[test]
fn the_file_is_plain_safetensors() {
    let bytes = adapter().to_bytes().unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    assert_eq!(names, ["a", "string_to_param.*"]);
    assert_eq!(file.tensor("string_to_param.*").unwrap().shape(), [3]);
}

#[test]
fn a_file_without_the_facts_is_not_an_adapter() {
    let content = Content::default().to_bytes().unwrap();
    let error = Adapter::from_bytes(&content, &Device::Cpu).unwrap_err();
    assert_eq!(error.to_string(), "the header has no `vico.method`");
}

#[test]
fn only_f32_is_written_and_read() {
    let half = Tensor::zeros(2, candle_core::DType::F16, &Device::Cpu).unwrap();
    let content = Content {
        tensors: BTreeMap::from([("h".to_owned(), half)]),
        ..Content::default()
    };
    assert!(matches!(content.to_bytes().unwrap_err(), Error::Dtype { tensor, .. } if tensor == "h"));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Adapter::from_bytes(&bytes, &Device::Cpu);
    }

    #[test]
    fn no_damage_panics(at in 0usize..600, value in any::<u8>(), cut in 0usize..600) {
        let mut bytes = adapter().to_bytes().unwrap();
        let (at, cut) = (at % bytes.len(), cut % bytes.len());
        bytes[at] = value;
        let _ = Adapter::from_bytes(&bytes, &Device::Cpu);
        let _ = Adapter::from_bytes(&bytes[..cut], &Device::Cpu);
    }
}
