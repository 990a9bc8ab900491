//! A base model whose frozen matrices are bfloat16: what it holds, and how far its numbers are from f32's.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, Var};
use vico_engine::base_model::BaseModel;
use vico_engine::models::unet::PlainSd;
use vico_engine::weights::Precision;

fn parity(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/parity")
        .join(path)
}

fn base(precision: Option<Precision>) -> BaseModel {
    BaseModel::load_in(precision, &parity("tiny-sd"), None, &Device::Cpu).unwrap()
}

/// Euclidean distance over the length of `wanted`.
fn distance(found: &Tensor, wanted: &Tensor) -> f32 {
    let length = |t: &Tensor| {
        let squares = t.sqr().unwrap().sum_all().unwrap();
        squares.to_scalar::<f32>().unwrap().sqrt()
    };
    length(&(found - wanted).unwrap()) / length(wanted)
}

#[test]
fn matrices_of_the_unet_are_halved_and_nothing_else() {
    let half = base(Some(Precision::Bf16));
    for (name, tensor) in half.unet_tensors() {
        let wanted = if tensor.rank() > 1 {
            DType::BF16
        } else {
            DType::F32
        };
        assert_eq!(tensor.dtype(), wanted, "{name}");
    }
    let text = half.text_tensors().values();
    assert!(text.into_iter().all(|tensor| tensor.dtype() == DType::F32));
    for same in [None, Some(Precision::F32)] {
        let whole = base(same);
        let all = whole.unet_tensors().values();
        assert!(all.into_iter().all(|tensor| tensor.dtype() == DType::F32));
    }
}

/// The bounds are some four times what was measured: a wrong pairing or a lost term is off by far more, and f32 by far less.
#[test]
fn predictions_and_gradients_are_near_those_of_f32() {
    let golden = candle_core::safetensors::load(parity("vico/forward.safetensors"), &Device::Cpu).unwrap();
    let inputs = candle_core::safetensors::load(parity("vico/inputs.safetensors"), &Device::Cpu).unwrap();
    let times = inputs["timesteps"].to_vec1::<i64>().unwrap();
    let times: Vec<f64> = times.into_iter().map(|t| t as f64).collect();
    let pass = |precision| {
        let base = base(precision);
        let x = Var::from_tensor(&golden["x_t"]).unwrap();
        let context = Var::from_tensor(&golden["context"]).unwrap();
        let noise = base.unet.forward(&x, &times, &context, &mut PlainSd).unwrap();
        let gradients = noise.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let of = |var: &Var| gradients.get(var).unwrap().clone();
        [noise.detach(), of(&x), of(&context)]
    };
    let (half, whole) = (pass(Some(Precision::Bf16)), pass(None));
    for (what, (half, whole)) in ["noise", "latent", "context"].iter().zip(half.iter().zip(&whole)) {
        let off = distance(half, whole);
        assert!((1e-4..4e-2).contains(&off), "{what} is off by {off}");
    }
}
