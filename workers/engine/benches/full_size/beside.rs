//! One call at a time, on request: what `beside_pytorch.py` runs in turn with PyTorch.
//!
//! Every line of the standard input names a call; the answer is one line of JSON: wall and processor seconds, the peak of
//! the resident set in bytes, and the first number of the result where both sides compute the same one.

use std::io::{self, BufRead};

use candle_core::{Device, Tensor};
use serde_json::json;
use vico_engine::adapter::Adapter;
use vico_engine::base_model::BaseModel;
use vico_engine::methods::Next;
use vico_engine::methods::sampling::{SampleSpec, SampleWatch};
use vico_engine::methods::vico::{self, VicoSpec};
use vico_engine::models::unet::PlainSd;

use crate::measure::measured;
use crate::photo;
use crate::training::{self, key};

/// What is sampled.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    /// Images of one prompt.
    pub(crate) images: u64,
    /// Denoise steps.
    pub(crate) steps: usize,
}

/// Answers until the input ends.
///
/// # Errors
/// A call is unknown, or the engine refuses.
#[expect(clippy::print_stdout, reason = "the lines are what this program is for")]
pub(crate) fn serve(base: &BaseModel, spec: &VicoSpec, wanted: Wanted) -> anyhow::Result<()> {
    let mut adapter = None;
    println!("ready");
    for call in io::stdin().lock().lines() {
        let call = call?;
        if call == "sample" && adapter.is_none() {
            adapter = Some(training::untrained(base, spec)?);
        }
        let (first, cost) = measured(|| run(&call, base, spec, adapter.as_ref(), wanted))?;
        println!(
            "{}",
            json!({ "wall": cost.wall, "cpu": cost.cpu, "peak": cost.peak, "first": first })
        );
    }
    Ok(())
}

fn run(
    call: &str,
    base: &BaseModel,
    spec: &VicoSpec,
    adapter: Option<&Adapter>,
    wanted: Wanted,
) -> anyhow::Result<Option<f32>> {
    let (channels, h, w) = base.vae.latent_shape(spec.image_size);
    let side = spec.image_size;
    match (call, adapter) {
        ("unet", _) => {
            let (x, context) = (pattern(&[1, channels, h, w])?, pattern(&[1, 77, 768])?);
            first(&base.unet.forward(&x, &[500.0], &context, &mut PlainSd)?)
        }
        ("vae_encode", _) => first(&base.vae.encode(&pattern(&[1, 3, side, side])?)?.mean),
        ("vae_decode", _) => first(&base.vae.decode(&pattern(&[1, channels, h, w])?)?),
        ("train", _) => {
            let mut step = training::Steps::new(base, spec)?;
            step.next()?;
            Ok(None)
        }
        ("sample", Some(adapter)) => {
            let request = SampleSpec {
                images: (0..wanted.images).map(|image| key(spec, image)).collect(),
                steps: wanted.steps,
                ..crate::sampling::request(spec)
            };
            let reference = photo(side, 0)?;
            vico::sample::sample(base, adapter, &reference, &request, &mut Silent)?;
            Ok(None)
        }
        _ => anyhow::bail!("no call `{call}`"),
    }
}

/// Numbers in -1..1 that both sides make alike.
fn pattern(shape: &[usize]) -> candle_core::Result<Tensor> {
    let values: Vec<f32> = (0..shape.iter().product::<usize>())
        .map(|i| ((i * 7919) % 1000) as f32 / 500.0 - 1.0)
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

fn first(result: &Tensor) -> anyhow::Result<Option<f32>> {
    Ok(Some(result.flatten_all()?.get(0)?.to_scalar()?))
}

struct Silent;

impl SampleWatch for Silent {
    fn after_denoise_step(&mut self, _done: usize, _of: usize) -> Next {
        Next::Continue
    }
}
