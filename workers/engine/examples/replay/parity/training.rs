//! `vico_train/`: 20 optimiser updates with every draw given.

use std::path::Path;

use anyhow::{Context, Result};
use candle_core::Tensor;
use vico_engine::methods::templates::caption;
use vico_engine::methods::training::{AdamW, AdamWSpec, Gradients, Parameter, ParameterGroup};
use vico_engine::methods::vico::branches::Columns;
use vico_engine::methods::vico::pass::{Batch, Pass};

use super::Ledger;
use super::golden::Golden;
use super::ledger::Tolerance::{Abs, Exact, Rel};
use super::setting::Setting;
use super::statistics::{slices, statistics};

pub(crate) fn check(dir: &Path, ledger: &mut Ledger) -> Result<()> {
    let inputs = Golden::open(&dir.join("vico_train/inputs.safetensors"))?;
    let golden = Golden::open(&dir.join("vico_train/trajectory.safetensors"))?;
    let setting = Setting::open(dir, inputs.get("s_star_init")?)?;
    captions(&setting, &inputs, ledger)?;
    let start = setting.ordered(|_, variable| Ok(variable.as_detached_tensor().copy()?))?;
    let mut optimiser = optimiser(&setting, &inputs)?;
    let mut curves = Curves::default();
    for step in 0..inputs.indices("timesteps")?.len() {
        let pass = batch(&inputs, step)?.run(&setting.base, &setting.base.unet, &setting.learned)?;
        let loss = pass.loss(inputs.number("lambda")?)?.mean_all()?;
        let mut gradients = Gradients::default();
        gradients.add(loss.backward()?, optimiser.parameters(), step + 1)?;
        curves.push(&pass, &loss)?;
        optimiser.update(&gradients)?;
        let done = step + 1;
        if golden
            .names()
            .any(|name| name == format!("grad_s_star_step_{done}"))
        {
            first_gradients(&setting, &gradients, done, &golden, ledger)?;
        }
        if golden.names().any(|name| name == format!("s_star_after_{done}")) {
            weights(&setting, &start, done, &golden, ledger)?;
        }
    }
    curves.compare(&golden, ledger)?;
    golden.finish("vico_train", ledger);
    Ok(())
}

/// The template list and its tokens, and the start value of S*.
fn captions(setting: &Setting, inputs: &Golden, ledger: &mut Ledger) -> Result<()> {
    let (ids, rows) = (inputs.ids("input_ids")?, inputs.indices("template_index")?);
    for (step, want) in inputs.list("captions")?.iter().enumerate() {
        let text = caption(rows[step], "*");
        ledger.equal(&format!("vico_train.caption.{step:02}"), &text, want);
        let encoded = setting.base.tokenizer.encode(&text)?;
        ledger.equal(&format!("vico_train.ids.{step:02}"), &encoded.ids, &ids[step]);
    }
    Ok(())
}

fn optimiser(setting: &Setting, inputs: &Golden) -> Result<AdamW> {
    let parameter = |name: &String| {
        let value = setting
            .variables
            .get(name)
            .with_context(|| format!("no tensor `{name}`"))?
            .clone();
        Ok::<_, anyhow::Error>(Parameter {
            name: name.clone(),
            value,
        })
    };
    let (beta1, beta2) = inputs.text("betas")?.split_once(',').context("betas")?;
    let spec = AdamWSpec {
        beta1: beta1.parse()?,
        beta2: beta2.parse()?,
        eps: inputs.number("eps")?,
        weight_decay: inputs.number("weight_decay")?,
    };
    let embedding = vec![parameter(&"s_star".to_owned())?];
    let blocks = setting.order.iter().map(parameter).collect::<Result<_>>()?;
    let groups = vec![
        ParameterGroup {
            name: "embedding",
            lr: inputs.number("lr_s_star")?,
            parameters: embedding,
        },
        ParameterGroup {
            name: "image_attention",
            lr: inputs.number("lr_ica")?,
            parameters: blocks,
        },
    ];
    Ok(AdamW::new(spec, groups)?)
}

fn batch(inputs: &Golden, step: usize) -> Result<Batch> {
    let latents = |name| {
        let row = inputs.indices(name)?[step];
        Ok::<_, anyhow::Error>(inputs.get("latents")?.narrow(0, row, 1)?)
    };
    let at = |name| Ok::<_, anyhow::Error>(inputs.indices(name)?[step]);
    Ok(Batch {
        clean: latents("target_index")?,
        noise: inputs.get("eps")?.narrow(0, step, 1)?,
        reference: latents("ref_index")?,
        timesteps: vec![at("timesteps")?],
        ids: vec![inputs.ids("input_ids")?[step].clone()],
        columns: vec![Columns {
            placeholder: at("placeholder_pos")?,
            end_of_text: at("eot_pos")?,
        }],
    })
}

fn first_gradients(
    setting: &Setting,
    gradients: &Gradients,
    done: usize,
    golden: &Golden,
    ledger: &mut Ledger,
) -> Result<()> {
    let key = format!("grad_s_star_step_{done}");
    ledger.tensors(
        &format!("vico_train.{key}"),
        gradients.get("s_star")?,
        golden.get(&key)?,
        Rel(2e-5),
    );
    let key = format!("ica_grad_slices_step_{done}");
    let want = golden.get(&key)?;
    let got = setting.ordered(|name, _| Ok(gradients.get(name)?.clone()))?;
    ledger.tensors(
        &format!("vico_train.{key}"),
        &slices(&got, want.dim(1)?)?,
        want,
        Rel(5e-5),
    );
    Ok(())
}

/// S*, the image cross-attention, and how far it has moved from `start`, after `done` updates.
fn weights(
    setting: &Setting,
    start: &[Tensor],
    done: usize,
    golden: &Golden,
    ledger: &mut Ledger,
) -> Result<()> {
    let embedding = setting.variables["s_star"].as_detached_tensor();
    let key = format!("s_star_after_{done}");
    ledger.tensors(
        &format!("vico_train.{key}"),
        &embedding,
        golden.get(&key)?,
        Abs(1e-6),
    );
    let now = setting.ordered(|_, variable| Ok(variable.as_detached_tensor()))?;
    let moved: Vec<Tensor> = now
        .iter()
        .zip(start)
        .map(|(now, start)| now - start)
        .collect::<candle_core::Result<_>>()?;
    for (kind, tensors) in [("ica", now), ("ica_delta", moved)] {
        let key = format!("{kind}_slices_after_{done}");
        let want = golden.get(&key)?;
        ledger.tensors(
            &format!("vico_train.{key}"),
            &slices(&tensors, want.dim(1)?)?,
            want,
            Abs(3e-6),
        );
        let key = format!("{kind}_stats_after_{done}");
        ledger.tensors(
            &format!("vico_train.{key}"),
            &statistics(&tensors)?,
            golden.get(&key)?,
            Rel(1e-4),
        );
    }
    Ok(())
}

/// What the trajectory records at every update.
#[derive(Default)]
struct Curves {
    mse: Vec<f64>,
    sum: Vec<f64>,
    total: Vec<f64>,
    sites: Vec<f64>,
    kept: Vec<f64>,
    thresholds: Vec<f64>,
}

impl Curves {
    fn push(&mut self, pass: &Pass, loss: &Tensor) -> Result<()> {
        let scalar =
            |tensor: &Tensor| Ok::<_, anyhow::Error>(f64::from(tensor.sum_all()?.to_scalar::<f32>()?));
        self.mse.push(scalar(&pass.mse)?);
        self.sum.push(scalar(&pass.regulariser()?)?);
        self.total.push(scalar(loss)?);
        for site in &pass.sites {
            self.sites.push(scalar(&site.regulariser)?);
            self.kept.push(site.masks.kept[0].len() as f64);
            self.thresholds.push(f64::from(site.masks.thresholds[0]));
        }
        Ok(())
    }

    fn compare(&self, golden: &Golden, ledger: &mut Ledger) -> Result<()> {
        let curves = [
            ("loss_mse", &self.mse, Abs(2e-6)),
            ("loss_reg_sum", &self.sum, Abs(5e-6)),
            ("loss_total", &self.total, Abs(2e-6)),
            ("loss_reg_sites", &self.sites, Abs(5e-6)),
            ("mask_kept", &self.kept, Exact),
            ("otsu_threshold", &self.thresholds, Exact),
        ];
        for (name, got, tolerance) in curves {
            ledger.numbers(
                &format!("vico_train.{name}"),
                got,
                &golden.floats(name)?,
                tolerance,
            );
        }
        Ok(())
    }
}
