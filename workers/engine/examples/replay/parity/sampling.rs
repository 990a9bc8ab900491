//! `vico_sample/`: DDIM with guidance and both branches, and plain Stable Diffusion as a control.

use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use vico_engine::diffusion::Ddim;
use vico_engine::image::from_tensor;
use vico_engine::methods::Next;
use vico_engine::methods::sampling::{Denoise, NoisePredictor, Plain, Prediction, SampleSpec};
use vico_engine::methods::vico::reference::SiteFeatures;
use vico_engine::methods::vico::sample::TwoBranches;

use super::Ledger;
use super::golden::Golden;
use super::images::pixels;
use super::ledger::Tolerance::{Abs, Bytes, Exact, Rel};
use super::setting::Setting;

pub(crate) fn check(dir: &Path, ledger: &mut Ledger) -> Result<()> {
    let inputs = Golden::open(&dir.join("vico_sample/inputs.safetensors"))?;
    let golden = Golden::open(&dir.join("vico_sample/outputs.safetensors"))?;
    let setting = Setting::open(dir, inputs.get("s_star")?)?;
    let spec = spec(&inputs)?;
    let ddim = Ddim::new(&setting.base.schedule, spec.steps, spec.eta)?;
    let times: Vec<f64> = ddim.grid().iter().map(|at| at.timestep as f64).collect();
    ledger.numbers(
        "vico_sample.timesteps",
        &times,
        &inputs.floats("timesteps")?,
        Exact,
    );
    texts(&setting, &inputs, &spec, ledger)?;
    let denoise = Denoise {
        ddim: &ddim,
        guidance: spec.guidance,
        batch: spec.batch,
    };
    with_branches(&setting, &inputs, &spec, &denoise, &golden, ledger)?;
    control(&setting, &inputs, &denoise, &golden, ledger)?;
    golden.finish("vico_sample", ledger);
    Ok(())
}

fn spec(inputs: &Golden) -> Result<SampleSpec> {
    Ok(SampleSpec {
        prompt: inputs.text("prompt")?.to_owned(),
        negative_prompt: String::new(),
        steps: inputs.text("steps")?.parse()?,
        eta: inputs.number("eta")?,
        guidance: inputs.number("guidance")?,
        size: inputs.get("ref_u8")?.dim(0)?,
        images: Vec::new(),
        batch: inputs.get("x_T")?.dim(0)?,
    })
}

fn texts(setting: &Setting, inputs: &Golden, spec: &SampleSpec, ledger: &mut Ledger) -> Result<()> {
    let prompts = [
        ("input_ids", spec.prompt.as_str()),
        ("uncond_input_ids", ""),
        ("plain_input_ids", inputs.text("plain_prompt")?),
    ];
    for (name, prompt) in prompts {
        let ids = vec![setting.base.tokenizer.encode(prompt)?.ids];
        ledger.equal(&format!("vico_sample.{name}"), &ids, &inputs.ids(name)?);
    }
    for (name, ids) in [
        ("context_cond", "input_ids"),
        ("context_uncond", "uncond_input_ids"),
    ] {
        let context = setting.learned.context(&setting.base, &inputs.ids(ids)?)?;
        ledger.tensors(
            &format!("vico_sample.{name}"),
            &context,
            inputs.get(name)?,
            Abs(2e-5),
        );
    }
    Ok(())
}

fn with_branches(
    setting: &Setting,
    inputs: &Golden,
    spec: &SampleSpec,
    denoise: &Denoise<'_>,
    golden: &Golden,
    ledger: &mut Ledger,
) -> Result<()> {
    let reference = inputs.get("ref_latent")?;
    let inner = TwoBranches::new(&setting.base, &setting.learned, spec, reference)?;
    let mut spy = Spy {
        inner,
        features: Vec::new(),
    };
    spy.prepare(denoise.ddim.grid()[0].timestep)?;
    let first = spy.predict(denoise.ddim.grid()[0].timestep, inputs.get("x_T")?)?;
    spy.features.clear();
    let predicted = [("uncond", first.unconditional), ("cond", first.conditional)];
    for (half, noise) in predicted {
        let key = format!("noise_pred_first_{half}");
        ledger.tensors(
            &format!("vico_sample.{key}"),
            &noise,
            golden.get(&key)?,
            Abs(2e-5),
        );
    }
    let latents = walk(&mut spy, denoise, inputs)?;
    compare_latents("", &latents, golden, ledger)?;
    masks(&spy.features, golden, ledger)?;
    pictures(setting, &latents, golden, ledger)
}

fn control(
    setting: &Setting,
    inputs: &Golden,
    denoise: &Denoise<'_>,
    golden: &Golden,
    ledger: &mut Ledger,
) -> Result<()> {
    let ids = [inputs.ids("uncond_input_ids")?, inputs.ids("plain_input_ids")?].concat();
    let context = setting.base.text.forward(&ids, &[])?;
    let mut plain = Plain {
        unet: &setting.base.unet,
        context,
    };
    let latents = walk(&mut plain, denoise, inputs)?;
    compare_latents("control.", &latents, golden, ledger)?;
    let image = setting.base.vae.decode(&last(&latents)?.narrow(0, 0, 1)?)?;
    let key = "control.image_sample0_centre64";
    ledger.tensors(
        &format!("vico_sample.{key}"),
        &centre(&image, golden.get(key)?)?,
        golden.get(key)?,
        Abs(1e-4),
    );
    Ok(())
}

/// x_T and the latents after every denoise step.
fn walk(predictor: &mut dyn NoisePredictor, denoise: &Denoise<'_>, inputs: &Golden) -> Result<Vec<Tensor>> {
    let start = inputs.get("x_T")?.clone();
    let mut latents = vec![start.clone()];
    let no_noise = |_| candle_core::bail!("eta is 0");
    denoise.run(predictor, start, &no_noise, &mut |_, now| {
        latents.push(now.clone());
        Next::Continue
    })?;
    Ok(latents)
}

fn compare_latents(prefix: &str, latents: &[Tensor], golden: &Golden, ledger: &mut Ledger) -> Result<()> {
    let want = golden.get(&format!("{prefix}latents"))?;
    let steps = want.dim(0)?;
    ledger.equal(
        &format!("vico_sample.{prefix}latents.count"),
        &latents.len(),
        &steps,
    );
    for (step, got) in latents.iter().enumerate().take(steps) {
        ledger.tensors(
            &format!("vico_sample.{prefix}latents.{step:02}"),
            got,
            &want.get(step)?,
            Rel(2e-5),
        );
    }
    Ok(())
}

fn masks(features: &[Vec<SiteFeatures>], golden: &Golden, ledger: &mut Ledger) -> Result<()> {
    let mut kept = Vec::new();
    for features in features {
        for text in 0..2 {
            kept.extend(features.iter().map(|site| site.masks.kept[text].len() as f64));
        }
    }
    ledger.numbers(
        "vico_sample.mask_kept",
        &kept,
        &golden.floats("mask_kept")?,
        Exact,
    );
    let ends = [("first", features.first()), ("last", features.last())];
    for (end, features) in ends {
        for site in features.context("no denoise steps")? {
            for (text, half) in ["uncond", "cond"].into_iter().enumerate() {
                let key = format!("site{}.mask_{end}_{half}", site.site);
                let got = site.masks.keys.narrow(0, text, 1)?;
                ledger.tensors(&format!("vico_sample.{key}"), &got, golden.get(&key)?, Exact);
            }
        }
    }
    Ok(())
}

fn pictures(setting: &Setting, latents: &[Tensor], golden: &Golden, ledger: &mut Ledger) -> Result<()> {
    let decoded = setting.base.vae.decode_sliced(&last(latents)?, 1)?;
    let key = "image_sample0_centre64";
    let want = golden.get(key)?;
    ledger.tensors(
        &format!("vico_sample.{key}"),
        &centre(&decoded.narrow(0, 0, 1)?, want)?,
        want,
        Abs(1e-4),
    );
    let bytes = (0..decoded.dim(0)?)
        .map(|i| pixels(&from_tensor(&decoded.get(i)?)?))
        .collect::<Result<Vec<_>>>()?;
    let bytes = Tensor::stack(&bytes, 0)?;
    ledger.tensors(
        "vico_sample.image_u8",
        &bytes,
        golden.get("image_u8")?,
        Bytes(1e-3),
    );
    Ok(())
}

fn last(latents: &[Tensor]) -> Result<Tensor> {
    Ok(latents.last().context("no latents")?.to_device(&Device::Cpu)?)
}

/// The middle of an image (1, 3, h, w), as large as `like`.
fn centre(image: &Tensor, like: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = image.dims4()?;
    let (_, _, h, w) = like.dims4()?;
    Ok(image
        .narrow(2, (height - h) / 2, h)?
        .narrow(3, (width - w) / 2, w)?)
}

/// Remembers what the reference branch offered at every denoise step.
struct Spy<'a> {
    inner: TwoBranches<'a>,
    features: Vec<Vec<SiteFeatures>>,
}

impl NoisePredictor for Spy<'_> {
    fn prepare(&mut self, timestep: usize) -> vico_engine::Result<()> {
        self.inner.prepare(timestep)?;
        self.features.push(self.inner.features().to_vec());
        Ok(())
    }

    fn predict(&self, timestep: usize, latents: &Tensor) -> vico_engine::Result<Prediction> {
        self.inner.predict(timestep, latents)
    }
}
