//! `images/`: decoding and resampling, byte for byte.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use serde_json::Value;
use sha2::{Digest, Sha256};
use vico_engine::image::resample::{Filter, resize};
use vico_engine::image::{Limits, Rgb8, decode};

use super::Ledger;
use super::golden::{Golden, json, text};
use super::ledger::Tolerance::{Abs, Exact};

pub(crate) fn check(dir: &Path, ledger: &mut Ledger) -> Result<()> {
    let dir = dir.join("images");
    let file = json(&dir.join("images.json"))?;
    let slices = Golden::open(&dir.join("resized.safetensors"))?;
    let newer = Golden::open(&dir.join("resized_pillow13.safetensors"))?;
    for entry in file["images"].as_array().context("images")? {
        let id = text(entry, "id")?;
        let picture = open(&dir.join(format!("{id}.png")))?;
        same_bytes(
            ledger,
            &format!("images.{id}.source"),
            &picture,
            text(entry, "source_rgb_sha256")?,
        );
        if let Some(png) = entry["decoded_png"].as_str() {
            let decoded = open(&dir.join(png))?;
            same_bytes(
                ledger,
                &format!("images.{id}.decoded"),
                &decoded,
                text(entry, "jpeg_decoded_rgb_sha256")?,
            );
        }
        for (output, want) in entry["outputs"].as_object().context("outputs")? {
            let name = format!("images.{id}.{output}");
            let rule = Rule::parse(output)?;
            let resized = rule.apply(&picture)?;
            same_bytes(ledger, &name, &resized, text(want, "rgb_sha256")?);
            size_and_mean(ledger, &name, &resized, want);
            compare_slices(ledger, &slices, &format!("{id}.{output}"), &resized)?;
            if let Some(digest) = want["pillow13_rgb_sha256"].as_str() {
                let resized = rule.vertical_first(&picture)?;
                same_bytes(ledger, &format!("{name}.pillow13"), &resized, digest);
                let want = newer.get(&format!("{id}.{output}.slice"))?;
                ledger.tensors(&format!("{name}.pillow13.slice"), &centre(&resized)?, want, Exact);
            }
        }
    }
    slices.finish("images", ledger);
    newer.finish("images.pillow13", ledger);
    Ok(())
}

pub(crate) fn open(path: &Path) -> Result<Rgb8> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(decode(&bytes, &Limits::default())?)
}

/// What the name of an output asks for.
enum Rule {
    Squash(usize, Filter),
    ShortThenCrop(usize, usize),
}

impl Rule {
    fn parse(name: &str) -> Result<Self> {
        if let Some((short, crop)) = name
            .strip_prefix("short")
            .and_then(|rest| rest.split_once("_crop"))
        {
            return Ok(Self::ShortThenCrop(short.parse()?, crop.parse()?));
        }
        let size = |rest: &str| rest.trim_end_matches("squash").parse();
        match (name.strip_prefix("bicubic"), name.strip_prefix("bilinear")) {
            (Some(rest), _) => Ok(Self::Squash(size(rest)?, Filter::Bicubic)),
            (_, Some(rest)) => Ok(Self::Squash(size(rest)?, Filter::Bilinear)),
            _ => bail!("unknown output `{name}`"),
        }
    }

    fn apply(&self, picture: &Rgb8) -> Result<Rgb8> {
        match *self {
            Self::Squash(size, filter) => Ok(resize(picture, size, size, filter)),
            Self::ShortThenCrop(short, crop) => {
                vico_engine::image::resample::short_side_crop(picture, short, crop, Filter::Bicubic)
                    .context("the crop is larger than the short side")
            }
        }
    }

    /// The order of passes in Pillow 13 where the height shrinks much more than the width.
    fn vertical_first(&self, picture: &Rgb8) -> Result<Rgb8> {
        let Self::Squash(size, filter) = *self else {
            bail!("only squashed outputs differ between Pillow versions")
        };
        Ok(resize(
            &resize(picture, picture.width(), size, filter),
            size,
            size,
            filter,
        ))
    }
}

fn same_bytes(ledger: &mut Ledger, name: &str, picture: &Rgb8, want: &str) {
    let mut digest = String::new();
    for byte in Sha256::digest(picture.data()) {
        write!(digest, "{byte:02x}").expect("writing to a string cannot fail");
    }
    ledger.equal(&format!("{name}.sha256"), &digest.as_str(), &want);
}

fn size_and_mean(ledger: &mut Ledger, name: &str, picture: &Rgb8, want: &Value) {
    let mean = picture.data().iter().copied().map(f64::from).sum::<f64>() / picture.data().len() as f64;
    let got = [picture.width() as f64, picture.height() as f64, mean];
    let want = ["width", "height", "mean"].map(|key| want[key].as_f64().unwrap_or(f64::NAN));
    ledger.numbers(&format!("{name}.size_and_mean"), &got, &want, Abs(1e-9));
}

fn compare_slices(ledger: &mut Ledger, golden: &Golden, name: &str, picture: &Rgb8) -> Result<()> {
    let present = |part: &str| golden.names().any(|known| known == format!("{name}.{part}"));
    let (width, height) = (picture.width(), picture.height());
    let corners = [("corner", (0, 0)), ("corner_end", (width - 16, height - 16))];
    for (part, (left, top)) in corners.into_iter().filter(|(part, _)| present(part)) {
        let key = format!("{name}.{part}");
        ledger.tensors(
            &format!("images.{key}"),
            &window(picture, left, top, 16)?,
            golden.get(&key)?,
            Exact,
        );
    }
    for (part, got) in [("slice", centre(picture)?), ("full", pixels(picture)?)] {
        if present(part) {
            ledger.tensors(
                &format!("images.{name}.{part}"),
                &got,
                golden.get(&format!("{name}.{part}"))?,
                Exact,
            );
        }
    }
    Ok(())
}

/// The middle 48×48 pixels.
fn centre(picture: &Rgb8) -> Result<Tensor> {
    window(picture, picture.width() / 2 - 24, picture.height() / 2 - 24, 48)
}

fn window(picture: &Rgb8, left: usize, top: usize, side: usize) -> Result<Tensor> {
    Ok(pixels(picture)?.narrow(0, top, side)?.narrow(1, left, side)?)
}

/// A picture as (h, w, 3) bytes.
pub(crate) fn pixels(picture: &Rgb8) -> Result<Tensor> {
    let shape = (picture.height(), picture.width(), 3);
    Ok(Tensor::from_slice(picture.data(), shape, &Device::Cpu)?)
}
