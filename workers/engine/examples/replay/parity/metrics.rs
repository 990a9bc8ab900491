//! `metrics/`: network inputs, features and cosines under every protocol.

use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{D, Device, Tensor};
use vico_engine::image::Rgb8;
use vico_engine::metrics::{
    DinoView, EvaluatorDirs, Evaluators, Features, ImageFeatures, Protocol, clip_pixels, cosines, dino_pixels,
};
use vico_engine::tokenizer::ClipTokenizer;

use super::golden::{Golden, json, text};
use super::images::open;
use super::ledger::Tolerance::Abs;
use super::{Ledger, positions, short_side};

/// A column of the set: its protocol, and its names in `features.safetensors`.
struct Column {
    protocol: Protocol,
    folder: &'static str,
    clip: &'static str,
    clip_i: &'static str,
    clip_t: &'static str,
}

const COLUMNS: [Column; 3] = [
    Column {
        protocol: Protocol::BenchV1,
        folder: "bench_v1",
        clip: "clip",
        clip_i: "clip_i",
        clip_t: "clip_t",
    },
    Column {
        protocol: Protocol::Vico2023,
        folder: "vico_2023",
        clip: "clip_noaa",
        clip_i: "clip_i",
        clip_t: "clip_t",
    },
    Column {
        protocol: Protocol::Vico2023Antialiased,
        folder: "vico_2023",
        clip: "clip_aa",
        clip_i: "clip_i_aa",
        clip_t: "clip_t_aa",
    },
];

pub(crate) fn check(dir: &Path, ledger: &mut Ledger) -> Result<()> {
    let golden = Golden::open(&dir.join("metrics/features.safetensors"))?;
    let file = json(&dir.join("metrics/metrics.json"))?;
    let folder = |name: &str| dir.join("metrics").join(name);
    let (clip, dino, tokenizer) = (folder("clip"), folder("dino"), dir.join("tiny-sd/tokenizer"));
    let dirs = EvaluatorDirs {
        clip: &clip,
        tokenizer: &tokenizer,
        dino: &dino,
        lpips: None,
    };
    let evaluators = Evaluators::load(&dirs, &Device::Cpu)?;
    let photos = file["photos"].as_array().context("photos")?;
    let pictures = photos
        .iter()
        .map(|photo| open(&folder(text(photo, "file")?)))
        .collect::<Result<Vec<_>>>()?;
    let prompts: Vec<String> = serde_json::from_value(file["prompts_literal_braces"].clone())?;
    let worded: Vec<String> = serde_json::from_value(file["prompts_class_word"].clone())?;
    let class = text(&file, "class_word")?;
    let texts: Vec<String> = prompts
        .iter()
        .map(|prompt| Protocol::BenchV1.text(prompt, class))
        .collect();
    ledger.equal("metrics.prompts_class_word", &texts, &worded);
    let tokenizer = ClipTokenizer::from_dir(&tokenizer)?;
    for column in &COLUMNS {
        let texts: Vec<String> = prompts
            .iter()
            .map(|prompt| column.protocol.text(prompt, class))
            .collect();
        let ids = texts
            .iter()
            .map(|text| Ok(tokenizer.encode(text)?.ids))
            .collect::<Result<Vec<_>>>()?;
        let key = format!("ids.{}.text", column.folder);
        ledger.equal(&format!("metrics.{key}"), &ids, &golden.ids(&key)?);
        let inputs = Inputs::new(column, &pictures, &golden)?;
        inputs.compare(column, &golden, ledger)?;
        let mut images = evaluators.images(&[column.protocol], &pictures)?.remove(0);
        if let Some(short) = inputs.other_short_side {
            let note =
                format!("made with a short side of {short} and black borders, not the 224 of its README");
            ledger.note("metrics.bench_v1.clip", &note);
            images.clip = short_side::features(&clip, &inputs.clip)?;
        }
        features(
            column,
            &images,
            &evaluators.texts(column.protocol, &texts)?,
            &golden,
            ledger,
        )?;
    }
    other_positions(&dino, &pictures, &golden, ledger)?;
    golden.finish("metrics", ledger);
    Ok(())
}

/// What goes into the networks.
struct Inputs {
    clip: Vec<Tensor>,
    dino: Vec<Tensor>,
    /// The short side of CLIP's inputs, where the set did not follow the protocol.
    other_short_side: Option<usize>,
}

impl Inputs {
    fn new(column: &Column, pictures: &[Rgb8], golden: &Golden) -> Result<Self> {
        let (clip_view, dino_view) = (column.protocol.clip_view(), column.protocol.dino_view());
        let dino_view = dino_view.context("a protocol without DINO has no goldens")?;
        let clip = pictures
            .iter()
            .map(|picture| clip_pixels(clip_view, picture, &Device::Cpu));
        let mut clip = clip.collect::<candle_core::Result<Vec<_>>>()?;
        let dino = pictures
            .iter()
            .map(|picture| dino_pixels(dino_view, picture, &Device::Cpu));
        let dino = dino.collect::<candle_core::Result<Vec<_>>>()?;
        let mut other_short_side = None;
        if column.protocol == Protocol::BenchV1 {
            let slices = golden.get(&format!("pixels_slice.{}.{}", column.folder, column.clip))?;
            other_short_side = short_side::find(pictures, slices)?;
        }
        if let Some(short) = other_short_side {
            clip = pictures
                .iter()
                .map(|picture| short_side::input(picture, short))
                .collect::<Result<_>>()?;
        }
        Ok(Self {
            clip,
            dino,
            other_short_side,
        })
    }

    /// Compares their mean per channel, and 8×8 pixels of each.
    fn compare(&self, column: &Column, golden: &Golden, ledger: &mut Ledger) -> Result<()> {
        for (network, inputs) in [(column.clip, &self.clip), ("dino", &self.dino)] {
            let inputs = Tensor::cat(inputs, 0)?;
            let means = inputs.flatten_from(2)?.mean(D::Minus1)?;
            let corners = inputs.narrow(2, 100, 8)?.narrow(3, 100, 8)?;
            for (kind, got) in [("pixels_mean", means), ("pixels_slice", corners)] {
                let key = format!("{kind}.{}.{network}", column.folder);
                ledger.tensors(&format!("metrics.{key}"), &got, golden.get(&key)?, Abs(2e-5));
            }
        }
        Ok(())
    }
}

/// Features and what the protocol makes of them.
fn features(
    column: &Column,
    images: &ImageFeatures,
    texts: &Features,
    golden: &Golden,
    ledger: &mut Ledger,
) -> Result<()> {
    let Column {
        folder,
        clip,
        clip_i,
        clip_t,
        ..
    } = column;
    let dino = images.dino.as_ref().context("no DINO features")?;
    for (name, features) in [(*clip, &images.clip), ("dino", dino), ("text", texts)] {
        let key = format!("feature.{folder}.{name}");
        ledger.tensors(
            &format!("metrics.{key}"),
            &tensor(features)?,
            golden.get(&key)?,
            Abs(2e-5),
        );
    }
    similarities(&format!("{folder}.{clip_i}"), &images.clip, golden, ledger)?;
    similarities(&format!("{folder}.dino_i"), dino, golden, ledger)?;
    let with_text = cosines(&images.clip, texts)?;
    let key = format!("matrix.{folder}.{clip_t}");
    ledger.numbers(
        &format!("metrics.{key}"),
        &with_text.concat(),
        &golden.floats(&key)?,
        Abs(3e-6),
    );
    let generated = half(with_text.len());
    let prompts = (0..texts.len()).map(|prompt| mean(with_text[generated..].iter().map(|row| row[prompt])));
    let key = format!("{key}.mean_gen{generated}-{}_per_prompt", with_text.len() - 1);
    ledger.numbers(
        &format!("metrics.{key}"),
        &prompts.collect::<Vec<_>>(),
        &golden.floats(&key)?,
        Abs(3e-6),
    );
    Ok(())
}

/// Cosines of all pictures with each other, and their mean over (reference, generated): first half, second half.
fn similarities(name: &str, features: &Features, golden: &Golden, ledger: &mut Ledger) -> Result<()> {
    let matrix = cosines(features, features)?;
    let key = format!("matrix.{name}");
    ledger.numbers(
        &format!("metrics.{key}"),
        &matrix.concat(),
        &golden.floats(&key)?,
        Abs(3e-6),
    );
    let generated = half(matrix.len());
    let pairs = matrix[..generated]
        .iter()
        .flat_map(|row| &row[generated..])
        .copied();
    let key = format!(
        "{key}.mean_ref0-{}_gen{generated}-{}",
        generated - 1,
        matrix.len() - 1
    );
    ledger.numbers(
        &format!("metrics.{key}"),
        &[mean(pairs)],
        &golden.floats(&key)?,
        Abs(3e-6),
    );
    Ok(())
}

/// The variant that resizes DINO's positions as `transformers` does.
fn other_positions(dino: &Path, pictures: &[Rgb8], golden: &Golden, ledger: &mut Ledger) -> Result<()> {
    let vit = positions::as_transformers(dino)?;
    let mut rows = Vec::new();
    for picture in pictures {
        let pixels = dino_pixels(DinoView::Squeezed, picture, &Device::Cpu)?;
        rows.extend(vit.forward(&pixels)?.flatten_all()?.to_vec1::<f32>()?);
    }
    let features = Features::new(vit.width(), rows)?;
    let key = "feature.vico_2023.dino_hfpos";
    ledger.tensors(
        &format!("metrics.{key}"),
        &tensor(&features)?,
        golden.get(key)?,
        Abs(2e-5),
    );
    similarities("vico_2023.dino_i_hfpos", &features, golden, ledger)
}

fn half(pictures: usize) -> usize {
    pictures / 2
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len() as f64
}

fn tensor(features: &Features) -> Result<Tensor> {
    let values = features.rows().flatten().copied().collect();
    Ok(Tensor::from_vec(
        values,
        (features.len(), features.width()),
        &Device::Cpu,
    )?)
}
