//! Pictures per second through CLIP and DINO as `bench-v1` takes them, from decoded pixels to features.
//!
//! Run by `benches/beside_transformers.py`, which makes the models and times transformers on the same pictures in turn.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use candle_core::Device;
use clap::Parser;
use processor::processor_seconds;
use vico_engine::image::{Limits, Rgb8, decode};
use vico_engine::metrics::{EvaluatorDirs, Evaluators, Protocol};

#[path = "full_size/processor.rs"]
mod processor;

/// Measure how fast pictures become features.
#[derive(Parser)]
struct Args {
    /// A folder with `pictures`, `clip`, `tokenizer` and `dino`.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Threads; 0 is one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// What cargo adds to the arguments of a benchmark, and not to those of a test.
    #[arg(long, hide = true)]
    bench: bool,
}

#[expect(clippy::print_stdout, reason = "the lines are what this program is for")]
fn main() -> anyhow::Result<()> {
    vico_engine::memory::keep_freed();
    let args = Args::parse();
    let Some(dir) = args.dir.filter(|_| args.bench) else {
        println!("a benchmark, not a test: run it by `benches/beside_transformers.py`");
        return Ok(());
    };
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build_global()?;
    let dirs = EvaluatorDirs {
        clip: &dir.join("clip"),
        tokenizer: &dir.join("tokenizer"),
        dino: &dir.join("dino"),
        lpips: None,
    };
    let evaluators = Evaluators::load(&dirs, &Device::Cpu)?;
    let pictures = pictures(&dir.join("pictures"))?;
    // The first picture finds cold caches and sleeping threads.
    evaluators.images(&[Protocol::BenchV1], &pictures[..1])?;
    let (started, cpu) = (Instant::now(), processor_seconds()?);
    let features = evaluators.images(&[Protocol::BenchV1], &pictures)?;
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), processor_seconds()? - cpu);
    let clip = features[0].clip.rows().next().context("no pictures")?;
    println!("{seconds} {cpu} {}", clip[0]);
    Ok(())
}

/// Pictures in the order of their names.
fn pictures(dir: &Path) -> anyhow::Result<Vec<Rgb8>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        paths.push(entry?.path());
    }
    paths.sort();
    let read = |path: &PathBuf| Ok(decode(&fs::read(path)?, &Limits::default())?);
    paths.iter().map(read).collect()
}
