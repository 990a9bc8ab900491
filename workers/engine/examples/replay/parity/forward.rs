//! `vico/` up to the loss: inputs, then one forward pass of two samples.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use candle_core::{D, Device, Tensor};
use vico_engine::methods::vico::branches::{Branches, Columns};
use vico_engine::methods::vico::learned::columns;
use vico_engine::methods::vico::parameters;
use vico_engine::methods::vico::pass::{Batch, Pass};
use vico_engine::models::unet::{ColumnRequest, Flow, PlainSd, Site, SiteHook};

use super::golden::Golden;
use super::ledger::Tolerance::{Abs, Exact};
use super::setting::{REGULARISER_WEIGHT, Setting, batch};
use super::{Ledger, model};

/// `vico/inputs.safetensors`: what the inputs themselves say about tokens, schedule and initializer.
pub(crate) fn inputs(dir: &Path, ledger: &mut Ledger) -> Result<()> {
    let golden = Golden::open(&dir.join("vico/inputs.safetensors"))?;
    let base = model::load(dir)?;
    let placeholder = base
        .tokenizer
        .single_token("*")?
        .context("`*` is not one token")?;
    let (ids, p, e) = (
        golden.ids("input_ids")?,
        golden.indices("placeholder_pos")?,
        golden.indices("eot_pos")?,
    );
    for (i, caption) in golden.list("captions")?.iter().enumerate() {
        let encoded = base.tokenizer.encode(caption)?;
        let columns = columns(caption, &encoded, placeholder)?;
        ledger.equal(&format!("vico.inputs.ids.{i}"), &encoded.ids, &ids[i]);
        let want = Columns {
            placeholder: p[i],
            end_of_text: e[i],
        };
        ledger.equal(&format!("vico.inputs.columns.{i}"), &columns, &want);
    }
    ledger.equal(
        "vico.inputs.empty",
        &vec![base.tokenizer.encode("")?.ids],
        &golden.ids("uncond_input_ids")?,
    );
    let word = base
        .tokenizer
        .single_token(golden.text("init_word")?)?
        .context("init_word is not one token")?;
    ledger.equal(
        "vico.inputs.init_word",
        &word.to_string().as_str(),
        &golden.text("init_word_id")?,
    );
    let row = base.text.embedding(word)?.unsqueeze(0)?;
    ledger.tensors(
        "vico.inputs.s_star_init_word",
        &row,
        golden.get("s_star_init_word")?,
        Exact,
    );
    let levels: Vec<f64> = golden
        .indices("timesteps")?
        .into_iter()
        .map(|t| base.schedule.alpha_bar(t))
        .collect();
    let each = |value: fn(f64) -> f64| levels.iter().map(|level| value(*level)).collect::<Vec<_>>();
    ledger.numbers(
        "vico.inputs.sqrt_alpha_bar",
        &each(f64::sqrt),
        &golden.floats("sqrt_alpha_bar")?,
        Abs(1e-7),
    );
    let noise = each(|level| (1.0 - level).sqrt());
    let want = golden.floats("sqrt_one_minus_alpha_bar")?;
    ledger.numbers("vico.inputs.sqrt_one_minus_alpha_bar", &noise, &want, Abs(1e-7));
    Ok(())
}

/// `vico/forward.safetensors`: both samples as one batch, where each must have its own masks.
pub(crate) fn forward(dir: &Path, ledger: &mut Ledger) -> Result<()> {
    let inputs = Golden::open(&dir.join("vico/inputs.safetensors"))?;
    let golden = Golden::open(&dir.join("vico/forward.safetensors"))?;
    let setting = Setting::open(dir, inputs.get("s_star")?)?;
    let samples = inputs.get("z0")?.dim(0)?;
    let batch = batch(&inputs, 0..samples)?;
    let pass = batch.run(&setting.base, &setting.base.unet, &setting.learned)?;
    let context = setting.learned.context(&setting.base, &batch.ids)?;
    ledger.tensors(
        "vico.forward.context",
        &context,
        golden.get("context")?,
        Abs(2e-5),
    );
    ledger.tensors("vico.forward.x_t", &pass.noisy, golden.get("x_t")?, Abs(2e-6));
    ledger.tensors(
        "vico.forward.noise_pred",
        &pass.predicted,
        golden.get("noise_pred")?,
        Abs(1e-5),
    );
    losses(&pass, &golden, ledger)?;
    let times: Vec<f64> = batch.timesteps.iter().map(|&t| t as f64).collect();
    let plain = setting
        .base
        .unet
        .forward(&pass.noisy, &times, &context, &mut PlainSd)?;
    ledger.tensors(
        "vico.forward.plain.noise_pred",
        &plain,
        golden.get("plain.noise_pred")?,
        Abs(1e-5),
    );
    sites(&setting, &batch, &pass, &golden, ledger)?;
    golden.finish("vico.forward", ledger);
    Ok(())
}

fn losses(pass: &Pass, golden: &Golden, ledger: &mut Ledger) -> Result<()> {
    let parts = [
        ("loss_mse", pass.mse.clone(), 2e-6),
        ("loss_reg_sum", pass.regulariser()?, 5e-6),
        ("loss_total", pass.loss(REGULARISER_WEIGHT)?, 2e-6),
    ];
    for (name, value, tolerance) in parts {
        ledger.tensors(
            &format!("vico.forward.{name}"),
            &value,
            golden.get(name)?,
            Abs(tolerance),
        );
        let (mean, batch) = (value.mean_keepdim(0)?, format!("batch.{name}"));
        ledger.tensors(
            &format!("vico.forward.{batch}"),
            &mean,
            golden.get(&batch)?,
            Abs(tolerance),
        );
    }
    Ok(())
}

/// Tokens and maps at every site, seen by a hook around the real one.
fn sites(setting: &Setting, batch: &Batch, pass: &Pass, golden: &Golden, ledger: &mut Ledger) -> Result<()> {
    let samples = batch.timesteps.len();
    let context = setting.learned.context(&setting.base, &batch.ids)?;
    let times: Vec<f64> = batch.timesteps.iter().map(|&t| t as f64).collect();
    let mut spy = Spy {
        inner: Branches::new(&setting.learned.image_attention, &batch.columns, true),
        samples,
        seen: Vec::new(),
    };
    let rows = Tensor::cat(&[&pass.noisy, &batch.reference], 0)?;
    let contexts = Tensor::cat(&[&context, &context], 0)?;
    setting
        .base
        .unet
        .forward(&rows, &times.repeat(2), &contexts, &mut spy)?;
    ensure!(spy.seen.len() == pass.sites.len(), "the hook saw other sites");
    for (seen, record) in spy.seen.iter().zip(&pass.sites) {
        let name = |part: &str| format!("site{}.{part}", record.site);
        let mut check = |part: &str, got: &Tensor, tolerance| {
            golden
                .get(&name(part))
                .map(|want| ledger.tensors(&format!("vico.forward.{}", name(part)), got, want, tolerance))
        };
        check("xr", &seen.reference, Abs(3e-5))?;
        check("ica_in_sample0", &seen.before.narrow(0, 0, 1)?, Abs(3e-5))?;
        check("ica_out_sample0", &seen.after.narrow(0, 0, 1)?, Abs(3e-5))?;
        check(
            "attn_placeholder",
            &seen.maps.narrow(D::Minus1, 0, 1)?.squeeze(D::Minus1)?,
            Abs(1e-6),
        )?;
        check(
            "attn_eot",
            &seen.maps.narrow(D::Minus1, 1, 1)?.squeeze(D::Minus1)?,
            Abs(1e-6),
        )?;
        check("mask", &record.masks.keys, Exact)?;
        let thresholds = Tensor::from_slice(&record.masks.thresholds, samples, &Device::Cpu)?;
        check("otsu_threshold", &thresholds, Exact)?;
        check("reg", &record.regulariser, Abs(5e-6))?;
    }
    Ok(())
}

/// Passes everything on and remembers it.
struct Spy<'a> {
    inner: Branches<'a>,
    samples: usize,
    seen: Vec<Seen>,
}

struct Seen {
    before: Tensor,
    reference: Tensor,
    maps: Tensor,
    after: Tensor,
}

impl SiteHook for Spy<'_> {
    fn columns(&self, site: &Site) -> Option<ColumnRequest> {
        self.inner.columns(site)
    }

    fn after_block(
        &mut self,
        site: &Site,
        tokens: Tensor,
        maps: Option<Tensor>,
    ) -> candle_core::Result<Flow> {
        let flow = self.inner.after_block(site, tokens.clone(), maps.clone())?;
        if let (Flow::Continue(after), Some(maps), true) = (&flow, maps, parameters::is_ica(site)) {
            self.seen.push(Seen {
                before: tokens.narrow(0, 0, self.samples)?,
                reference: tokens.narrow(0, self.samples, self.samples)?,
                after: after.narrow(0, 0, self.samples)?,
                maps,
            });
        }
        Ok(flow)
    }
}
