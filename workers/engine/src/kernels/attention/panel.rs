//! Up to 48 queries of one head at once, side by side in the vectors: a softmax then never looks across a vector, and the
//! map comes out in the order in which the second product reads it.

use super::super::gemm::Write;
use super::super::tile::{LANES, ROWS, product, width};
use super::super::transpose::transpose;
use super::super::wide::{exp, wide};
use super::head::Head;

/// Keys and values of one head in the order of the products.
pub(super) struct Packed {
    /// Groups of 8 keys: (element, key in the group).
    keys: Vec<f32>,
    /// Groups of 8 elements: (key, element in the group).
    values: Vec<f32>,
}

/// Room for one panel.
#[derive(Default)]
pub(super) struct Scratch {
    /// (element, query)
    queries: Vec<f32>,
    /// (key, query)
    map: Vec<f32>,
    /// (element, query)
    out: Vec<f32>,
    /// By query: the largest logit, and the softmax denominator.
    peaks: Vec<f32>,
    totals: Vec<f32>,
}

impl Packed {
    /// `v` is laid out like the head's keys.
    pub(super) fn new(head: &Head<'_>, v: &[f32]) -> Self {
        let mut keys = vec![0.0; head.keys.next_multiple_of(ROWS) * head.dim];
        for (group, keys) in keys.chunks_mut(ROWS * head.dim).enumerate() {
            let count = ROWS.min(head.keys - group * ROWS);
            columns(
                &head.k[group * ROWS * head.stride..],
                (count, head.stride),
                keys,
                (0, ROWS),
            );
        }
        let mut values = vec![0.0; head.dim.next_multiple_of(ROWS) * head.keys];
        for (group, values) in values.chunks_mut(ROWS * head.keys).enumerate() {
            let count = ROWS.min(head.dim - group * ROWS);
            for (key, values) in values.chunks_mut(ROWS).enumerate() {
                values[..count].copy_from_slice(&v[key * head.stride + group * ROWS..][..count]);
            }
        }
        Self { keys, values }
    }
}

/// Writes rows, `stride` elements apart, as columns from column `first` on, into rows of `width`.
fn columns(from: &[f32], (rows, stride): (usize, usize), to: &mut [f32], (first, width): (usize, usize)) {
    let length = to.len() / width;
    if rows == ROWS {
        return transpose(from, stride, length, |element, values| {
            to[element * width + first..][..ROWS].copy_from_slice(&values);
        });
    }
    for row in 0..rows {
        for (element, value) in from[row * stride..][..length].iter().enumerate() {
            to[element * width + first + row] = *value;
        }
    }
}

impl Head<'_> {
    /// The value of as many queries from `first` on as `lse` holds, into `out` (query, element).
    pub(super) fn panel(
        &self,
        (first, scale): (usize, f32),
        packed: &Packed,
        (out, lse): (&mut [f32], &mut [f32]),
        scratch: &mut Scratch,
    ) {
        let (count, width) = (lse.len(), width(lse.len()));
        self.pack_queries((first, count), width, &mut scratch.queries);
        self.logits_of(first, packed, width, scratch);
        let reach = self.reach(first, count);
        scratch.softmax(reach, width, scale);
        scratch.out.resize(self.dim.next_multiple_of(ROWS) * width, 0.0);
        let groups = packed
            .values
            .chunks(ROWS * self.keys)
            .zip(scratch.out.chunks_mut(ROWS * width));
        for (values, out) in groups {
            product(
                &values[..ROWS * reach],
                &scratch.map[..reach * width],
                width,
                out,
                Write::Over,
            );
        }
        for (query, out) in out.chunks_mut(self.dim).enumerate() {
            let share = 1.0 / scratch.totals[query];
            for (element, out) in out.iter_mut().enumerate() {
                *out = scratch.out[element * width + query] * share;
            }
            lse[query] = scratch.peaks[query] * scale + scratch.totals[query].ln();
        }
    }

    fn pack_queries(&self, (first, count): (usize, usize), width: usize, queries: &mut Vec<f32>) {
        queries.clear();
        queries.resize(self.dim * width, 0.0);
        for start in (0..count).step_by(ROWS) {
            let rows = ROWS.min(count - start);
            let from = &self.q[(first + start) * self.stride..];
            columns(from, (rows, self.stride), queries, (start, width));
        }
    }

    /// Fills the map with unscaled logits, `-inf` where a query does not see a key.
    fn logits_of(&self, first: usize, packed: &Packed, width: usize, scratch: &mut Scratch) {
        scratch.map.resize(self.keys.next_multiple_of(ROWS) * width, 0.0);
        let groups = packed
            .keys
            .chunks(ROWS * self.dim)
            .zip(scratch.map.chunks_mut(ROWS * width));
        for (keys, map) in groups {
            product(keys, &scratch.queries, width, map, Write::Over);
        }
        if self.causal {
            for (key, row) in scratch.map.chunks_mut(width).enumerate().skip(first + 1) {
                row[..(key - first).min(width)].fill(f32::NEG_INFINITY);
            }
        }
    }
}

impl Scratch {
    /// Turns the logits of the first `reach` keys into `e^(logit - peak)`, and sums them up.
    fn softmax(&mut self, reach: usize, width: usize, scale: f32) {
        let Self {
            map, peaks, totals, ..
        } = self;
        let map = &mut map[..reach * width];
        peaks.resize(width, 0.0);
        totals.resize(width, 0.0);
        for first in (0..width).step_by(LANES) {
            wide(
                #[inline(always)]
                || {
                    let mut peak = [f32::NEG_INFINITY; LANES];
                    for row in map.chunks_exact(width) {
                        for (peak, logit) in peak.iter_mut().zip(&row[first..first + LANES]) {
                            *peak = if *logit > *peak { *logit } else { *peak };
                        }
                    }
                    let mut total = [0f32; LANES];
                    for row in map.chunks_exact_mut(width) {
                        let lanes = row[first..first + LANES].iter_mut().zip(&peak);
                        for ((p, peak), total) in lanes.zip(&mut total) {
                            *p = exp((*p - peak) * scale);
                            *total += *p;
                        }
                    }
                    peaks[first..first + LANES].copy_from_slice(&peak);
                    totals[first..first + LANES].copy_from_slice(&total);
                },
            );
        }
    }
}
