//! `vico/`'s gradients: of each sample alone, of both as one batch, and of the loss's two parts.

use std::path::Path;

use anyhow::{Context, Result};
use candle_core::Var;
use vico_engine::methods::vico::pass::{Batch, Pass};

use super::Ledger;
use super::golden::Golden;
use super::ledger::Tolerance::{Exact, Rel};
use super::setting::{REGULARISER_WEIGHT, Setting, batch};
use super::statistics::{slices, statistics};

/// `vico/grads.safetensors`: each sample alone, and both as one batch.
pub(crate) fn grads(dir: &Path, ledger: &mut Ledger) -> Result<()> {
    let inputs = Golden::open(&dir.join("vico/inputs.safetensors"))?;
    let golden = Golden::open(&dir.join("vico/grads.safetensors"))?;
    let setting = Setting::open(dir, inputs.get("s_star")?)?;
    let samples = inputs.get("z0")?.dim(0)?;
    for sample in 0..samples {
        let batch = batch(&inputs, sample..sample + 1)?;
        let name = format!("sample{sample}");
        total(&setting, &batch, &name, &golden, ledger)?;
        parts(&setting, &batch, &name, &golden, ledger)?;
    }
    total(&setting, &batch(&inputs, 0..samples)?, "batch", &golden, ledger)?;
    golden.finish("vico.grads", ledger);
    Ok(())
}

/// A pass goes back once.
fn run(setting: &Setting, batch: &Batch) -> Result<Pass> {
    Ok(batch.run(&setting.base, &setting.base.unet, &setting.learned)?)
}

/// The gradient of the mean total loss on S* and every tensor of the image cross-attention.
fn total(setting: &Setting, batch: &Batch, name: &str, golden: &Golden, ledger: &mut Ledger) -> Result<()> {
    let pass = run(setting, batch)?;
    let store = pass.loss(REGULARISER_WEIGHT)?.mean_all()?.backward()?;
    let of = |tensor: &str, variable: &Var| {
        Ok(store
            .get(variable.as_tensor())
            .with_context(|| format!("no gradient for {tensor}"))?
            .clone())
    };
    let embedding = of("s_star", &setting.variables["s_star"])?;
    let key = format!("{name}.grad.s_star");
    ledger.tensors(
        &format!("vico.grads.{key}"),
        &embedding,
        golden.get(&key)?,
        Rel(2e-5),
    );
    let gradients = setting.ordered(of)?;
    for (tensor, gradient) in setting.order.iter().zip(&gradients) {
        let key = format!("{name}.grad.{tensor}");
        if golden.names().any(|known| known == key) {
            ledger.tensors(
                &format!("vico.grads.{key}"),
                gradient,
                golden.get(&key)?,
                Rel(5e-5),
            );
        }
    }
    let slices_key = format!("{name}.ica_grad_slices");
    let want = golden.get(&slices_key)?;
    ledger.tensors(
        &format!("vico.grads.{slices_key}"),
        &slices(&gradients, want.dim(1)?)?,
        want,
        Rel(5e-5),
    );
    let stats_key = format!("{name}.ica_grad_stats");
    ledger.tensors(
        &format!("vico.grads.{stats_key}"),
        &statistics(&gradients)?,
        golden.get(&stats_key)?,
        Rel(5e-5),
    );
    Ok(())
}

/// The two parts of the loss alone; the regulariser must not reach the image cross-attention.
fn parts(setting: &Setting, batch: &Batch, name: &str, golden: &Golden, ledger: &mut Ledger) -> Result<()> {
    let embedding = &setting.variables["s_star"];
    for (part, loss) in [
        ("mse", run(setting, batch)?.mse.mean_all()?),
        ("reg", run(setting, batch)?.regulariser()?.mean_all()?),
    ] {
        let store = loss.backward()?;
        let key = format!("{name}.grad_{part}.s_star");
        let gradient = store
            .get(embedding.as_tensor())
            .with_context(|| format!("no gradient for {key}"))?;
        ledger.tensors(
            &format!("vico.grads.{key}"),
            gradient,
            golden.get(&key)?,
            Rel(2e-5),
        );
        if part == "reg" {
            let reached = setting
                .order
                .iter()
                .filter_map(|tensor| store.get(setting.variables[tensor].as_tensor()));
            let largest = reached.map(|gradient| gradient.abs()?.max_all()?.to_scalar::<f32>());
            let largest = largest
                .collect::<candle_core::Result<Vec<_>>>()?
                .into_iter()
                .fold(0.0, f32::max);
            let name = format!("vico.grads.{name}.reg_on_ica");
            ledger.numbers(&name, &[f64::from(largest)], &[0.0], Exact);
        }
    }
    Ok(())
}
