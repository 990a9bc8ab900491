//! Up to 48 queries of one head at once, side by side in the vectors: a softmax then never looks across a vector, and the
//! map comes out in the order in which the second product reads it.

use super::super::bf16::{Panels, panel_product};
use super::super::gemm::{Mat, Write};
use super::super::tile::{LANES, ROWS, product, width};
use super::super::transpose::transpose;
use super::super::wide::{exp, wide};
use super::Factors;
use super::head::Head;

/// Keys whose probabilities are rounded at a time: they stay in a core's cache. An even number.
const KEYS: usize = 512;

/// Keys and values of one head in the order of the products.
pub(super) enum Packed {
    F32 {
        /// Groups of 8 keys: (element, key in the group).
        keys: Vec<f32>,
        /// Groups of 8 elements: (key, element in the group).
        values: Vec<f32>,
    },
    Bf16 {
        keys: Panels,
        values: Panels,
    },
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
    pub(super) fn new(head: &Head<'_>, v: &[f32], factors: Factors) -> Self {
        match factors {
            Factors::F32 => Self::F32 {
                keys: packed_keys(head),
                values: packed_values(head, v),
            },
            Factors::Bf16 => Self::Bf16 {
                keys: Panels::left(head.key_rows(head.k, head.keys)),
                values: Panels::left(head.key_rows(v, head.keys).t()),
            },
        }
    }

    /// Fills the map (key, query) with the unscaled logits of as many queries from `first` on as `width` holds or there are.
    fn logits(&self, head: &Head<'_>, (first, count): (usize, usize), width: usize, scratch: &mut Scratch) {
        scratch.map.resize(head.keys.next_multiple_of(ROWS) * width, 0.0);
        let groups = scratch.map.chunks_mut(ROWS * width);
        match self {
            Self::F32 { keys, .. } => {
                head.pack_queries((first, count), width, &mut scratch.queries);
                for (keys, map) in keys.chunks(ROWS * head.dim).zip(groups) {
                    product(keys, &scratch.queries, width, map, Write::Over);
                }
            }
            Self::Bf16 { keys, .. } => {
                let queries = Panels::right(head.query_rows(head.q, first, count).t());
                for (group, map) in groups.enumerate() {
                    panel_product(keys.at(group).1, queries.at(0), map, Write::Over);
                }
            }
        }
    }

    /// The values, mixed by the first rows of the map (key, query), into `out` (element, query).
    fn mix(&self, map: &[f32], width: usize, out: &mut [f32]) {
        match self {
            Self::F32 { values, .. } => {
                let keys = values.len() / (out.len() / width);
                let groups = values.chunks(ROWS * keys).zip(out.chunks_mut(ROWS * width));
                for (values, out) in groups {
                    product(
                        &values[..ROWS * (map.len() / width)],
                        map,
                        width,
                        out,
                        Write::Over,
                    );
                }
            }
            Self::Bf16 { values, .. } => {
                for (block, map) in map.chunks(KEYS * width).enumerate() {
                    let map = Panels::right(Mat::packed(map, map.len() / width, width));
                    let write = if block == 0 { Write::Over } else { Write::Add };
                    for (group, out) in out.chunks_mut(ROWS * width).enumerate() {
                        let values = &values.at(group).1[block * KEYS / 2 * ROWS..];
                        panel_product(values, map.at(0), out, write);
                    }
                }
            }
        }
    }
}

fn packed_keys(head: &Head<'_>) -> Vec<f32> {
    let mut keys = vec![0.0; head.keys.next_multiple_of(ROWS) * head.dim];
    for (group, keys) in keys.chunks_mut(ROWS * head.dim).enumerate() {
        let count = ROWS.min(head.keys - group * ROWS);
        let from = &head.k[group * ROWS * head.stride..];
        columns(from, (count, head.stride), keys, (0, ROWS));
    }
    keys
}

fn packed_values(head: &Head<'_>, v: &[f32]) -> Vec<f32> {
    let mut values = vec![0.0; head.dim.next_multiple_of(ROWS) * head.keys];
    for (group, values) in values.chunks_mut(ROWS * head.keys).enumerate() {
        let count = ROWS.min(head.dim - group * ROWS);
        for (key, values) in values.chunks_mut(ROWS).enumerate() {
            values[..count].copy_from_slice(&v[key * head.stride + group * ROWS..][..count]);
        }
    }
    values
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
        packed.logits(self, (first, count), width, scratch);
        self.hide(first, width, &mut scratch.map);
        let reach = self.reach(first, count);
        scratch.softmax(reach, width, scale);
        scratch.out.resize(self.dim.next_multiple_of(ROWS) * width, 0.0);
        packed.mix(&scratch.map[..reach * width], width, &mut scratch.out);
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

    /// Makes the logits of keys that a query does not see `-inf`.
    fn hide(&self, first: usize, width: usize, map: &mut [f32]) {
        if self.causal {
            for (key, row) in map.chunks_mut(width).enumerate().skip(first + 1) {
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
