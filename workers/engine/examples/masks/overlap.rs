//! How well masks agree with the truth, in one photo and over all.

use std::fmt;

use candle_core::Result as TensorResult;

use super::attention::SiteMaps;
use super::mask::Mask;

/// Intersections over union with one photo's truth.
pub(crate) struct Overlap {
    mask: Mask,
    truth: Mask,
    /// Of the mask from ViCo's sites.
    pub(crate) vico: f64,
    /// Of the mask from all sites.
    everywhere: f64,
    /// At ViCo's sites.
    sites: Vec<AtSite>,
}

struct AtSite {
    path: String,
    /// Patches a side.
    grid: usize,
    /// Of the method's own masks, mean over time steps.
    own: f64,
    /// Of the truth drawn in this site's patches.
    patches: f64,
}

impl Overlap {
    /// `mask` is the one from ViCo's sites.
    pub(crate) fn new(mask: Mask, maps: &[SiteMaps], truth: Mask) -> TensorResult<Self> {
        let all = maps.iter().flat_map(|site| &site.steps);
        Ok(Self {
            vico: mask.iou(&truth),
            everywhere: Mask::of_maps(all, truth.side())?.iou(&truth),
            sites: maps
                .iter()
                .filter(|site| site.vico)
                .map(|site| AtSite::new(site, &truth))
                .collect::<TensorResult<_>>()?,
            mask,
            truth,
        })
    }
}

impl AtSite {
    fn new(maps: &SiteMaps, truth: &Mask) -> TensorResult<Self> {
        let grid = maps.steps[0].elem_count().isqrt();
        let own = maps.steps.iter().map(|map| Mask::of_map(map, truth.side()));
        let own = own.collect::<TensorResult<Vec<_>>>()?;
        Ok(Self {
            path: maps.site.path.clone(),
            grid,
            own: mean(&own, |mask| mask.iou(truth)),
            patches: truth.on_grid(grid).iou(truth),
        })
    }
}

/// The means over photos, as lines to print; at least one photo.
pub(crate) struct Means<'a>(pub(crate) &'a [Overlap]);

impl fmt::Display for Means<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let photos = self.0;
        let vico = mean(photos, |photo| photo.vico);
        let everywhere = mean(photos, |photo| photo.everywhere);
        writeln!(f, "mean of {} photos: {vico:.3}", photos.len())?;
        writeln!(f, "with the maps of all sites: {everywhere:.3}")?;
        if photos.len() > 1 {
            let masks = elsewhere(photos, |photo| &photo.mask);
            let truths = elsewhere(photos, |photo| &photo.truth);
            writeln!(
                f,
                "with the other photos' truths: {masks:.3}, of the truths: {truths:.3}"
            )?;
        }
        self.write_sites(f)
    }
}

impl Means<'_> {
    fn write_sites(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let photos = self.0;
        let (own, truth) = ("own masks", "truth in patches");
        writeln!(f, "\n{:<26} {:>7} {own} {truth}", "site", "patches")?;
        for (index, site) in photos[0].sites.iter().enumerate() {
            let grid = format!("{0} x {0}", site.grid);
            let own = mean(photos, |photo| photo.sites[index].own);
            let truth = mean(photos, |photo| photo.sites[index].patches);
            writeln!(f, "{:<26} {grid:>7} {own:>9.3} {truth:>16.3}", site.path)?;
        }
        Ok(())
    }
}

/// How well what belongs to one photo agrees with the other photos' truths: as much as the usual place explains.
fn elsewhere(photos: &[Overlap], of: impl Fn(&Overlap) -> &Mask) -> f64 {
    let pairs = photos.iter().enumerate().flat_map(|(index, photo)| {
        let others = photos
            .iter()
            .enumerate()
            .filter(move |(other, _)| *other != index);
        others.map(move |(_, other)| (photo, other))
    });
    mean(&pairs.collect::<Vec<_>>(), |(photo, other)| {
        of(photo).iou(&other.truth)
    })
}

fn mean<T>(of: &[T], value: impl Fn(&T) -> f64) -> f64 {
    of.iter().map(value).sum::<f64>() / of.len() as f64
}
