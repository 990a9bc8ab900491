//! The VAE against reference values of diffusers.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use vico_engine::models::vae::{Vae, VaeConfig};
use vico_engine::weights::Weights;

fn parity(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/parity")
        .join(path)
}

fn tensors(path: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(parity(path), &Device::Cpu).unwrap()
}

fn config() -> VaeConfig {
    VaeConfig::load(&parity("tiny-sd/vae")).unwrap()
}

fn tiny_vae() -> Vae {
    let weights = Weights::open(&parity("tiny-sd/vae"), None, &Device::Cpu).unwrap();
    let vae = Vae::load(config(), &weights).unwrap();
    weights.finish().unwrap();
    vae
}

/// The largest absolute element; NaN if there is one, which candle's `max` passes over.
fn largest(tensor: &Tensor) -> f32 {
    let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::abs).max_by(f32::total_cmp).unwrap()
}

fn distance(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    largest(&(a - b).unwrap())
}

/// The two photos (2, 3, 128, 128) in -1..1.
fn photos() -> Tensor {
    let bytes = tensors("vico_train/inputs.safetensors")["photos_u8_first2"].clone();
    let pixels = bytes.permute((0, 3, 1, 2)).unwrap().to_dtype(DType::F32).unwrap();
    ((pixels / 127.5).unwrap() - 1.0).unwrap()
}

#[test]
fn encoded_photos_equal_the_original() {
    let vae = tiny_vae();
    let latents = (vae.encode(&photos()).unwrap().mean * vae.scaling_factor()).unwrap();
    let golden = tensors("vico_train/inputs.safetensors")["latents"]
        .narrow(0, 0, 2)
        .unwrap();
    let error = distance(&latents, &golden);
    assert!(error < 5e-5, "off by {error}");
}

#[test]
fn decoded_latents_equal_the_original() {
    let golden = tensors("vico_sample/outputs.safetensors");
    let vae = tiny_vae();
    for prefix in ["", "control."] {
        let latents = golden[&format!("{prefix}latents")]
            .narrow(0, 10, 1)
            .unwrap()
            .squeeze(0)
            .unwrap();
        let pictures = vae.decode(&latents).unwrap();
        assert_eq!(pictures.dims(), [2, 3, 128, 128]);
        let centre = pictures
            .narrow(0, 0, 1)
            .unwrap()
            .narrow(2, 32, 64)
            .unwrap()
            .narrow(3, 32, 64)
            .unwrap();
        let error = distance(&centre, &golden[&format!("{prefix}image_sample0_centre64")]);
        assert!(error < 1e-4, "off by {error}");
    }
}

#[test]
fn slices_decode_to_the_same_pictures() {
    let golden = tensors("vico_sample/outputs.safetensors");
    let latents = golden["latents"].narrow(0, 10, 1).unwrap().squeeze(0).unwrap();
    let vae = tiny_vae();
    let whole = vae.decode(&latents).unwrap();
    for slice in [0, 1, 5] {
        assert!(distance(&vae.decode_sliced(&latents, slice).unwrap(), &whole) < 1e-5);
    }
}

#[test]
fn both_name_generations_are_read() {
    let file = parity("tiny-sd/vae/diffusion_pytorch_model.safetensors");
    let new = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let renames = [
        ("to_q.", "query."),
        ("to_k.", "key."),
        ("to_v.", "value."),
        ("to_out.0.", "proj_attn."),
    ];
    let old_name = |name: &str| {
        renames
            .iter()
            .fold(name.to_owned(), |name, (new, old)| name.replace(new, old))
    };
    let old = new
        .iter()
        .map(|(name, tensor)| (old_name(name), tensor.clone()))
        .collect();
    let weights = Weights::from_tensors("old names", old);
    let vae = Vae::load(config(), &weights).unwrap();
    weights.finish().unwrap();
    let (a, b) = (
        vae.encode(&photos()).unwrap(),
        tiny_vae().encode(&photos()).unwrap(),
    );
    assert!(distance(&a.mean, &b.mean) < f32::EPSILON);
}

#[test]
fn the_posterior_is_clamped_and_sampled() {
    let vae = tiny_vae();
    let moments = vae.encode(&(photos() * 1e4).unwrap()).unwrap();
    let variances = moments.logvar.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert!(variances.iter().all(|v| (-30.0..=20.0).contains(v)));
    let noise = moments.mean.ones_like().unwrap();
    let spread = (moments.sample(&noise).unwrap() - &moments.mean).unwrap();
    let expected = (moments.logvar / 2.0).unwrap().exp().unwrap();
    assert!(distance(&spread, &expected) <= 1e-5 * largest(&expected).max(1.0));
}

#[test]
fn a_picture_that_does_not_divide_is_an_error() {
    let picture = Tensor::zeros((1, 3, 100, 128), DType::F32, &Device::Cpu).unwrap();
    let error = tiny_vae().encode(&picture).unwrap_err();
    assert!(error.to_string().contains("multiple of 8"), "{error}");
}
