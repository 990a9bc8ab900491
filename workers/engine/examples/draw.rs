//! Draws one picture for each caption of a list with a base model, as it is.
//!
//! ```text
//! cargo run --release --example draw -- --base BASE --captions captions.jsonl --out DIR
//! ```
//!
//! A line of the list is `{"caption": "…"}`, other keys are ignored. `DIR/captions.jsonl` says which file shows which
//! caption, in the form that `vico-world judge` reads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use candle_core::Device;
use clap::Parser;
use serde::{Deserialize, Serialize};
use vico_engine::base_model::BaseModel;
use vico_engine::diffusion::NoiseKey;
use vico_engine::methods::Next;
use vico_engine::methods::personalised::Personalised;
use vico_engine::methods::sampling::{SampleSpec, SampleWatch};

/// Draw pictures for captions.
#[derive(Parser)]
struct Args {
    /// Folder of the base model.
    #[arg(long)]
    base: PathBuf,
    /// Lines of JSON with the key `caption`.
    #[arg(long)]
    captions: PathBuf,
    /// Folder to write to.
    #[arg(long)]
    out: PathBuf,
    /// Side of the pictures, in pixels.
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Denoise steps.
    #[arg(long, default_value_t = 30)]
    steps: usize,
    /// Guidance scale.
    #[arg(long, default_value_t = 5.0)]
    guidance: f64,
    /// Seed of the noise.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Deserialize)]
struct Wanted {
    caption: String,
}

#[derive(Serialize)]
struct Drawn<'a> {
    caption: &'a str,
    file: String,
}

/// Nobody waits for single steps.
struct Patient;

impl SampleWatch for Patient {
    fn after_denoise_step(&mut self, _done: usize, _of: usize) -> Next {
        Next::Continue
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let base = BaseModel::load(&args.base, None, &Device::Cpu)?;
    let model = Personalised::base(&base);
    fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let captions = captions(&args.captions)?;
    let mut list = String::new();
    for (index, caption) in captions.iter().enumerate() {
        let picture = model.sample(&spec(&args, caption), &mut Patient)?.remove(0);
        let file = format!("{index:03}.png");
        fs::write(args.out.join(&file), picture.to_png()?)?;
        list += &(serde_json::to_string(&Drawn { caption, file })? + "\n");
    }
    fs::write(args.out.join("captions.jsonl"), list)?;
    Ok(())
}

fn captions(path: &Path) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let mut captions = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let wanted: Wanted = serde_json::from_str(line)
            .with_context(|| format!("{}, line {}: not a caption", path.display(), number + 1))?;
        captions.push(wanted.caption);
    }
    ensure!(!captions.is_empty(), "{} is empty", path.display());
    Ok(captions)
}

fn spec(args: &Args, caption: &str) -> SampleSpec {
    let key = NoiseKey {
        seed: args.seed,
        concept: String::new(),
        prompt: caption.to_owned(),
        image: 0,
    };
    SampleSpec {
        prompt: caption.to_owned(),
        negative_prompt: String::new(),
        steps: args.steps,
        eta: 0.0,
        guidance: args.guidance,
        size: args.size,
        images: vec![key],
        batch: 1,
    }
}
