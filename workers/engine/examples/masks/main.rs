//! Where ViCo's attention finds the concept in its photos, beside where it is.
//!
//! ```text
//! cargo run --release --example masks -- --base BASE --adapter vico.safetensors --photos DIR --truth DIR
//!     [--word photo] [--out masks.png]
//! ```
//!
//! For every photo the reference branch runs at the time steps of sampling. `--truth` holds pictures of the photos' names,
//! bright where the concept is. Prints the intersection over union with it, of each photo and the mean of all:
//!
//! * of one mask from all the maps that ViCo takes its own masks from, one map for each of its sites and time steps;
//! * of one from the maps of all of the U-Net's sites;
//! * of the first with the truths of the other photos, and of these among themselves: what the usual place explains;
//! * at each of ViCo's sites, of the masks the method itself makes there at every time step, and of the truth drawn in that
//!   site's patches, which is about the best a mask could be there.
//!
//! Writes photo, mask and truth side by side.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use candle_core::Device;
use clap::Parser;
use vico_engine::adapter::Adapter;
use vico_engine::base_model::BaseModel;

mod attention;
mod mask;
mod overlap;
mod pictures;

use attention::ReferenceBranch;
use mask::Mask;
use overlap::{Means, Overlap};
use pictures::{beside, picture, pictures};

/// Compare masks with the truth.
#[derive(Parser)]
struct Args {
    /// Folder of the base model.
    #[arg(long)]
    base: PathBuf,
    /// ViCo's adapter.
    #[arg(long)]
    adapter: PathBuf,
    /// Folder of the photos.
    #[arg(long)]
    photos: PathBuf,
    /// Folder of pictures that are bright where the concept is.
    #[arg(long)]
    truth: PathBuf,
    /// Side at which the photos are looked at, in pixels.
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Time steps to look at.
    #[arg(long, default_value_t = 10)]
    steps: usize,
    /// Word of `a photo of *` to look for instead of the learned one.
    #[arg(long)]
    word: Option<String>,
    /// Picture of all photos, masks and truths.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "the lines are what this program is for")]
fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let base = BaseModel::load(&args.base, None, &Device::Cpu)?;
    let adapter = Adapter::from_bytes(&fs::read(&args.adapter)?, &Device::Cpu)?;
    let branch = ReferenceBranch::new(&base, &adapter, args.word.as_deref(), args.steps)?;
    let (mut rows, mut overlaps) = (Vec::new(), Vec::new());
    for path in pictures(&args.photos)? {
        let name = path.file_name().context("a file without a name")?;
        let photo = picture(&path, args.size)?;
        let truth = Mask::bright(&picture(&args.truth.join(name), args.size)?);
        let maps = branch.maps(&photo)?;
        let vico = maps.iter().filter(|site| site.vico);
        let mask = Mask::of_maps(vico.flat_map(|site| &site.steps), args.size)?;
        rows.extend([photo, mask.painted(), truth.painted()]);
        let overlap = Overlap::new(mask, &maps, truth)?;
        println!("{}: {:.3}", name.display(), overlap.vico);
        overlaps.push(overlap);
    }
    ensure!(
        !overlaps.is_empty(),
        "{} holds no pictures",
        args.photos.display()
    );
    print!("{}", Means(&overlaps));
    if let Some(out) = args.out {
        fs::write(out, beside(&rows, 3)?.to_png()?)?;
    }
    Ok(())
}
