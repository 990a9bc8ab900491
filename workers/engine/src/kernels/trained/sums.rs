//! Sums over everything that a parameter touched.
//!
//! Blocks are summed in f32 and their sums in f64, so that a gradient's error does not grow with the batch. Blocks are cut by
//! shape alone, and their sums are added in order: the same bits for any number of threads.

use rayon::prelude::*;

use super::super::wide::{sum, wide};

/// Rows of a block.
const ROWS: usize = 32;
/// Elements of a block.
pub(super) const BLOCK: usize = 512;

/// The sum of what every row contributes: `add` adds a row's `width` numbers onto what it is given.
pub(super) fn over_rows(rows: usize, width: usize, add: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let block = |index: usize| {
        let mut sums = vec![0f32; width];
        for row in index * ROWS..rows.min((index + 1) * ROWS) {
            add(row, &mut sums);
        }
        sums
    };
    let blocks: Vec<Vec<f32>> = (0..rows.div_ceil(ROWS)).into_par_iter().map(block).collect();
    let mut totals = vec![0f64; width];
    for sums in &blocks {
        add_wide(&mut totals, sums);
    }
    totals.into_iter().map(|total| total as f32).collect()
}

fn add_wide(totals: &mut [f64], sums: &[f32]) {
    wide(
        #[inline(always)]
        || {
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total += f64::from(*sum);
            }
        },
    );
}

/// The sum of a plane's elements.
pub(super) fn over_plane(x: &[f32]) -> f64 {
    let mut total = 0.0;
    for block in x.chunks(BLOCK) {
        let sum = wide(
            #[inline(always)]
            || sum([block], |[x]| x),
        );
        total += f64::from(sum);
    }
    total
}

/// From sums for every image and channel, those for every channel.
pub(super) fn over_images(sums: impl Iterator<Item = f64>, channels: usize) -> Vec<f32> {
    let mut totals = vec![0f64; channels];
    for (index, sum) in sums.enumerate() {
        totals[index % channels] += sum;
    }
    totals.into_iter().map(|total| total as f32).collect()
}
