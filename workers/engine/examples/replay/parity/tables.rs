//! The single files: token ids, automatic masks, noise schedule.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use vico_engine::diffusion::{Ddim, NoiseSchedule};
use vico_engine::methods::vico::otsu;
use vico_engine::tokenizer::ClipTokenizer;

use super::Ledger;
use super::golden::{Golden, json, numbers, text};
use super::ledger::Tolerance::{Abs, Exact, Rel};

/// The word whose columns `tokens.json` lists.
const PLACEHOLDER: &str = "*";

/// `tokens.json`: ids up to the first end of text, its column and the placeholder's columns.
pub(crate) fn tokens(dir: &Path, ledger: &mut Ledger) -> Result<()> {
    let tokenizer = ClipTokenizer::from_dir(&dir.join("tiny-sd/tokenizer"))?;
    let placeholder = tokenizer
        .single_token(PLACEHOLDER)?
        .ok_or_else(|| anyhow!("`*` is not one token"))?;
    let file = json(&dir.join("tokens.json"))?;
    for (i, prompt) in file["prompts"].as_array().into_iter().flatten().enumerate() {
        let name = format!("tokens.{i:02}");
        let encoded = tokenizer.encode(text(prompt, "text")?)?;
        let ids: Vec<f64> = encoded.ids[..=encoded.eot]
            .iter()
            .copied()
            .map(f64::from)
            .collect();
        let ends = encoded.ids.last() == Some(&encoded.ids[encoded.eot]);
        let columns: Vec<f64> = (0..encoded.ids.len())
            .filter(|at| encoded.ids[*at] == placeholder)
            .map(|at| at as f64)
            .collect();
        ledger.numbers(&format!("{name}.ids"), &ids, &numbers(&prompt["ids"])?, Exact);
        ledger.numbers(
            &format!("{name}.eot_pos"),
            &[encoded.eot as f64],
            &[prompt["eot_pos"].as_f64().context("eot_pos")?],
            Exact,
        );
        ledger.numbers(
            &format!("{name}.placeholder_pos"),
            &columns,
            &numbers(&prompt["placeholder_pos"])?,
            Exact,
        );
        ledger.equal(
            &format!("{name}.padding"),
            &(encoded.ids.len(), ends),
            &(77, true),
        );
    }
    Ok(())
}

/// `otsu.safetensors`: thresholds, masks and kept counts of maps of all kinds.
pub(crate) fn otsu(dir: &Path, ledger: &mut Ledger) -> Result<()> {
    let golden = Golden::open(&dir.join("otsu.safetensors"))?;
    let (thresholds, counts) = (golden.floats("threshold")?, golden.floats("kept")?);
    for (i, (threshold, count)) in thresholds.iter().zip(counts).enumerate() {
        let map = golden.get(&format!("map_{i:02}"))?.to_vec1::<f32>()?;
        let want = golden.floats(&format!("mask_{i:02}"))?;
        let (got, mask) = otsu::mask(&map);
        let mask: Vec<f64> = mask.into_iter().map(|kept| f64::from(u8::from(kept))).collect();
        ledger.numbers(&format!("otsu.{i:02}.mask"), &mask, &want, Exact);
        let summary = [f64::from(got), mask.iter().sum()];
        ledger.numbers(
            &format!("otsu.{i:02}.threshold_and_kept"),
            &summary,
            &[*threshold, count],
            Exact,
        );
    }
    golden.finish("otsu", ledger);
    Ok(())
}

/// `schedule.json`: ᾱ and the DDIM grids.
pub(crate) fn schedule(dir: &Path, ledger: &mut Ledger) -> Result<()> {
    let schedule = NoiseSchedule::from_config(&dir.join("tiny-sd/scheduler/scheduler_config.json"))?;
    let file = json(&dir.join("schedule.json"))?;
    let train = file["num_train_timesteps"]
        .as_f64()
        .context("num_train_timesteps")?;
    ledger.numbers(
        "schedule.num_train_timesteps",
        &[schedule.train_timesteps() as f64],
        &[train],
        Exact,
    );
    let rows = file["alpha_bar"].as_array().context("alpha_bar")?;
    let column = |key: &str| {
        rows.iter()
            .map(|row| row[key].as_f64().with_context(|| key.to_owned()))
            .collect::<Result<Vec<_>>>()
    };
    let exact: Vec<f64> = column("t")?
        .into_iter()
        .map(|t| schedule.alpha_bar(t as usize))
        .collect();
    let each = |value: fn(f64) -> f64| {
        exact
            .iter()
            .map(|alpha_bar| value(*alpha_bar))
            .collect::<Vec<_>>()
    };
    let f32s = each(|alpha_bar| f64::from(alpha_bar as f32));
    ledger.numbers("schedule.alpha_bar", &exact, &column("alpha_bar")?, Rel(1e-12));
    // The JSON reader may miss the last bit of an f64, which rounding to f32 hides.
    let want: Vec<f64> = column("alpha_bar_f32")?
        .into_iter()
        .map(|value| f64::from(value as f32))
        .collect();
    ledger.numbers("schedule.alpha_bar_f32", &f32s, &want, Exact);
    // diffusers accumulates in f32; its table differs by up to 1e-6 relative.
    ledger.numbers(
        "schedule.alpha_bar_diffusers_f32",
        &f32s,
        &column("alpha_bar_diffusers_f32")?,
        Abs(1e-6),
    );
    ledger.numbers(
        "schedule.sqrt_alpha_bar_f32",
        &each(f64::sqrt),
        &column("sqrt_alpha_bar_f32")?,
        Abs(1e-7),
    );
    let noise = each(|alpha_bar| (1.0 - alpha_bar).sqrt());
    ledger.numbers(
        "schedule.sqrt_one_minus_alpha_bar_f32",
        &noise,
        &column("sqrt_one_minus_alpha_bar_f32")?,
        Abs(1e-6),
    );
    for (key, grid) in file
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.starts_with("ddim_"))
    {
        ddim(key, grid, &schedule, ledger)?;
    }
    Ok(())
}

fn ddim(key: &str, grid: &Value, schedule: &NoiseSchedule, ledger: &mut Ledger) -> Result<()> {
    let ddim = Ddim::new(schedule, key.trim_start_matches("ddim_").parse()?, 0.0)?;
    let (times, (levels, previous)): (Vec<f64>, (Vec<f64>, Vec<f64>)) = ddim
        .grid()
        .iter()
        .map(|at| (at.timestep as f64, (at.alpha_bar, at.alpha_bar_prev)))
        .unzip();
    ledger.numbers(
        &format!("schedule.{key}.timesteps"),
        &times,
        &numbers(&grid["timesteps"])?,
        Exact,
    );
    ledger.numbers(
        &format!("schedule.{key}.alpha_bar_t"),
        &levels,
        &numbers(&grid["alpha_bar_t"])?,
        Rel(1e-12),
    );
    ledger.numbers(
        &format!("schedule.{key}.alpha_bar_prev"),
        &previous,
        &numbers(&grid["alpha_bar_prev"])?,
        Rel(1e-12),
    );
    Ok(())
}
