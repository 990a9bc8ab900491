//! Where ViCo's automatic mask finds the concept in its photos, beside where it is.
//!
//! ```text
//! cargo run --release --example masks -- --base BASE --adapter vico.safetensors --photos DIR --truth DIR
//!     [--out masks.png]
//! ```
//!
//! For every photo the reference branch runs at the time steps of sampling; a pixel counts as masked where more than half
//! of all steps and sites keep its patch. `--truth` holds pictures of the photos' names, bright where the concept is. Prints
//! the intersection over union of each photo and of each site, and writes photo, mask and truth side by side.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use candle_core::Device;
use clap::Parser;
use vico_engine::adapter::Adapter;
use vico_engine::base_model::BaseModel;
use vico_engine::diffusion::Ddim;
use vico_engine::image::Rgb8;
use vico_engine::methods::sampling::{NoisePredictor, SampleSpec};
use vico_engine::methods::vico::learned::Learned;
use vico_engine::methods::vico::sample::{TwoBranches, reference_latents};

mod mask;
mod pictures;

use mask::Mask;
use pictures::{beside, picture, pictures};

/// Compare automatic masks with the truth.
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
    /// Time steps that vote.
    #[arg(long, default_value_t = 10)]
    steps: usize,
    /// Picture of all photos, masks and truths.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "the lines are what this program is for")]
fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let base = BaseModel::load(&args.base, None, &Device::Cpu)?;
    let adapter = Adapter::from_bytes(&fs::read(&args.adapter)?, &Device::Cpu)?;
    let learned = Learned::from_adapter(&base, &adapter)?;
    let prompt = format!("a photo of {}", adapter.placeholder());
    let (mut rows, mut means) = (Vec::new(), Vec::new());
    for path in pictures(&args.photos)? {
        let name = path.file_name().context("a file without a name")?;
        let photo = picture(&path, args.size)?;
        let truth = Mask::bright(&picture(&args.truth.join(name), args.size)?);
        let votes = votes((&base, &learned), &photo, (&prompt, args.steps))?;
        let whole = Mask::majority(votes.iter().flatten(), args.size);
        let sites: Vec<f64> = votes
            .iter()
            .map(|site| Mask::majority(site.iter(), args.size).iou(&truth))
            .collect();
        let of_sites: Vec<String> = sites.iter().map(|iou| format!("{iou:.3}")).collect();
        println!(
            "{}: {:.3} (sites {})",
            name.display(),
            whole.iou(&truth),
            of_sites.join(" ")
        );
        means.push(whole.iou(&truth));
        rows.extend([photo, whole.painted(), truth.painted()]);
    }
    ensure!(!means.is_empty(), "{} holds no pictures", args.photos.display());
    println!(
        "mean of {} photos: {:.3}",
        means.len(),
        means.iter().sum::<f64>() / means.len() as f64
    );
    if let Some(out) = args.out {
        fs::write(out, beside(&rows, 3)?.to_png()?)?;
    }
    Ok(())
}

/// The masks of every site (outer) at every time step (inner), 1 where a patch is kept.
fn votes(
    (base, learned): (&BaseModel, &Learned),
    photo: &Rgb8,
    (prompt, steps): (&str, usize),
) -> anyhow::Result<Vec<Vec<Vec<u8>>>> {
    let reference = reference_latents(base, photo)?;
    let spec = SampleSpec {
        prompt: prompt.to_owned(),
        negative_prompt: String::new(),
        steps,
        eta: 0.0,
        guidance: 1.0,
        size: photo.width(),
        images: Vec::new(),
        batch: 1,
    };
    let mut branches = TwoBranches::new(base, learned, &spec, &reference)?;
    let mut sites: Vec<Vec<Vec<u8>>> = Vec::new();
    for step in Ddim::new(&base.schedule, steps, 0.0)?.grid() {
        branches.prepare(step.timestep)?;
        let features = branches.features();
        sites.resize(features.len(), Vec::new());
        for (site, features) in sites.iter_mut().zip(features) {
            let masks: Vec<Vec<u8>> = features.masks.keys.to_vec2()?;
            let conditional = masks.into_iter().next_back();
            site.push(conditional.context("a site without a mask")?);
        }
    }
    Ok(sites)
}
