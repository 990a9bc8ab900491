//! Reading pictures and laying them side by side.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use vico_engine::image::resample::{Filter, resize};
use vico_engine::image::{Limits, Rgb8, decode};

/// Files in the order of their names.
pub(crate) fn pictures(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("listing {}", dir.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

/// The picture of a file, squeezed into a square as ViCo takes its reference.
pub(crate) fn picture(path: &Path, size: usize) -> anyhow::Result<Rgb8> {
    let file = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let whole = decode(&file, &Limits::default())?;
    Ok(resize(&whole, size, size, Filter::Bilinear))
}

/// Pictures of one size in rows of `columns`.
pub(crate) fn beside(pictures: &[Rgb8], columns: usize) -> anyhow::Result<Rgb8> {
    let side = pictures[0].width();
    let mut data = Vec::new();
    for row in pictures.chunks_exact(columns) {
        for y in 0..side {
            for picture in row {
                data.extend_from_slice(&picture.data()[3 * y * side..3 * (y + 1) * side]);
            }
        }
    }
    Ok(Rgb8::new(columns * side, pictures.len() / columns * side, data)?)
}
