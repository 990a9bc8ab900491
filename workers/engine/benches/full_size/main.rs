//! Time and memory of Stable Diffusion v1 at its real size: loading it, one ViCo train step, one denoise step.
//!
//! ```text
//! cargo bench -p vico-engine --bench full_size
//! cargo bench -p vico-engine --bench full_size -- --dir ~/sd-shaped --size 256 --checkpointing off
//! ```
//!
//! The weights are random: what a step costs does not depend on their values. They are written to a directory of 4.3 GB
//! that is deleted afterwards, or kept and used again with `--dir`. Linux only; needs 12 GiB of memory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use candle_core::Device;
use clap::Parser;
use vico_engine::base_model::BaseModel;
use vico_engine::image::Rgb8;
use vico_engine::models::unet::Checkpointing;
use vico_engine::weights::Precision;

use beside::Wanted;
use measure::{Phase, measured};

mod beside;
mod measure;
mod model_dir;
mod networks;
mod processor;
mod sampling;
mod tensors;
mod training;

/// What a train step at 512² may take at most, so that it runs on a desktop machine with 16 GiB.
const PEAK_LIMIT: u64 = 12 << 30;

/// Measure loading, training and sampling at full size.
#[derive(Parser)]
struct Args {
    /// Where the model is written and kept; without it, a temporary directory beside the build.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Side of the pictures.
    #[arg(long, default_value_t = 512)]
    size: usize,
    /// Threads; 0 is one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// What is computed a second time in the backward pass: `off`, `feed-forwards`, or `all`.
    #[arg(long, default_value = "feed-forwards", value_parser = checkpointing)]
    checkpointing: Checkpointing,
    /// Answer calls from the standard input instead; see `beside_pytorch.py`.
    #[arg(long)]
    beside: bool,
    /// What the U-Net's matrices are kept in, `f32` or `bf16`, in such calls.
    #[arg(long, default_value = "f32", value_parser = precision)]
    precision: Precision,
    /// Images of one prompt in such a call.
    #[arg(long, default_value_t = 1)]
    images: u64,
    /// Denoise steps of such images.
    #[arg(long, default_value_t = 1)]
    steps: usize,
    /// What cargo adds to the arguments of a benchmark, and not to those of a test.
    #[arg(long, hide = true)]
    bench: bool,
}

#[expect(clippy::print_stdout, reason = "the lines are what this program is for")]
fn main() -> anyhow::Result<()> {
    vico_engine::memory::keep_freed();
    let args = Args::parse();
    if !args.bench {
        println!("a benchmark, not a test: run it with `cargo bench`");
        return Ok(());
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build_global()?;
    match &args.dir {
        Some(dir) => run(dir, &args),
        None => run(
            tempfile::tempdir_in(existing(env!("CARGO_TARGET_TMPDIR"))?)?.path(),
            &args,
        ),
    }
}

fn checkpointing(word: &str) -> Result<Checkpointing, String> {
    match word {
        "off" => Ok(Checkpointing::Off),
        "feed-forwards" => Ok(Checkpointing::FeedForwards),
        "all" => Ok(Checkpointing::All),
        _ => Err(format!("`{word}` is neither off, feed-forwards nor all")),
    }
}

fn precision(word: &str) -> Result<Precision, String> {
    Precision::named(word).ok_or_else(|| format!("`{word}` is neither f32 nor bf16"))
}

/// Cargo makes its temporary directory when it builds; somebody may have emptied the target directory since.
fn existing(dir: &str) -> anyhow::Result<&Path> {
    fs::create_dir_all(dir)?;
    Ok(Path::new(dir))
}

#[expect(clippy::print_stdout, reason = "the lines are what this program is for")]
fn run(dir: &Path, args: &Args) -> anyhow::Result<()> {
    if args.beside {
        model_dir::write(dir)?;
        let spec = training::spec(args.size, args.checkpointing);
        let base = BaseModel::load_in(Some(args.precision), dir, None, &Device::Cpu)?;
        let (images, steps) = (args.images, args.steps);
        return beside::serve(&base, &spec, Wanted { images, steps });
    }
    let threads = rayon::current_num_threads();
    println!(
        "{0}x{0} pixels, f32, batch 1, {threads} threads, checkpointing {1:?}",
        args.size, args.checkpointing
    );
    let (networks, writing) = measured(|| model_dir::write(dir))?;
    for (network, parameters) in networks {
        println!("{network:<14} {parameters:>11} parameters, as published");
    }
    println!(
        "\n{:<42} {:>10} {:>10} {:>11} {:>8}",
        "", "wall", "cpu", "peak", "of cpu"
    );
    show("writing the model", writing);
    let (base, loading) = measured(|| Ok(BaseModel::load(dir, None, &Device::Cpu)?))?;
    show("loading the model", loading);

    let spec = training::spec(args.size, args.checkpointing);
    println!("{}", training::vae_encode(&base, args.size)?);
    let (adapter, train_step, whole) = training::whole(&base, &spec)?;
    println!("{whole}\n{:<42} {train_step:>8.2} s", "  of this the train step");
    println!("{}", training::apart(&base, &spec)?);
    for phase in sampling::measure(&base, &adapter, &spec)? {
        println!("{phase}");
    }
    let bounded = args.size <= 512 && args.checkpointing != Checkpointing::Off;
    ensure!(
        !bounded || whole.cost.peak < PEAK_LIMIT,
        "the training took more than {} GiB",
        PEAK_LIMIT >> 30
    );
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the lines are what this program is for")]
fn show(name: &'static str, cost: measure::Cost) {
    let parts = Vec::new();
    println!("{}", Phase { name, cost, parts });
}

/// A picture of `size`² pixels with some structure; different for each `index`.
fn photo(size: usize, index: usize) -> anyhow::Result<Rgb8> {
    let pixel = |at: usize| {
        let (x, y) = (at % size, at / size);
        [x + y, x ^ (y * (index + 1)), x * y / size].map(|channel| channel as u8)
    };
    Ok(Rgb8::new(size, size, (0..size * size).flat_map(pixel).collect())?)
}
