//! Up to 48 queries of one head at once, side by side in the vectors: a softmax then never looks across a vector, and the
//! map comes out in the order in which the second product reads it.

use super::super::gemm::{Mat, Write};
use super::super::product::{Hold, LANES, Pair, Panels, ROWS, panel_product, width};
use super::super::wide::{exp, wide};
use super::Factors;
use super::head::Head;

/// Keys whose probabilities are rounded at a time: they stay in a core's cache. An even number.
const KEYS: usize = 512;

/// Keys (key, element) and values (element, key) of one head in the order of the products.
pub(super) enum Packed {
    F32 {
        keys: Panels<f32>,
        values: Panels<f32>,
    },
    Bf16 {
        keys: Panels<Pair>,
        values: Panels<Pair>,
    },
}

/// Room for one panel.
#[derive(Default)]
pub(super) struct Scratch {
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
        let keys = head.key_rows(head.k, head.keys);
        let values = head.key_rows(v, head.keys).t();
        match factors {
            Factors::F32 => Self::F32 {
                keys: Panels::left(keys),
                values: Panels::left(values),
            },
            Factors::Bf16 => Self::Bf16 {
                keys: Panels::left(keys),
                values: Panels::left(values),
            },
        }
    }

    /// Fills the map (key, query) with the unscaled logits of `queries` (element, query), which are as many as `width` holds
    /// or there are.
    fn logits(&self, queries: Mat<'_>, width: usize, map: &mut Vec<f32>) {
        match self {
            Self::F32 { keys, .. } => logits(keys, queries, width, map),
            Self::Bf16 { keys, .. } => logits(keys, queries, width, map),
        }
    }

    /// The values, mixed by the first rows of the map (key, query), into `out` (element, query).
    fn mix(&self, map: &[f32], width: usize, out: &mut [f32]) {
        match self {
            Self::F32 { values, .. } => {
                for (group, out) in out.chunks_mut(ROWS * width).enumerate() {
                    panel_product(values.at(group).1, (width, map), out, Write::Over);
                }
            }
            Self::Bf16 { values, .. } => {
                for (block, map) in map.chunks(KEYS * width).enumerate() {
                    let map = Panels::<Pair>::right(Mat::packed(map, map.len() / width, width));
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

fn logits<W: Hold<f32>>(keys: &Panels<W>, queries: Mat<'_>, width: usize, map: &mut Vec<f32>) {
    map.resize(keys.lines().next_multiple_of(ROWS) * width, 0.0);
    let queries = Panels::right(queries);
    for (group, map) in map.chunks_mut(ROWS * width).enumerate() {
        panel_product(keys.at(group).1, queries.at(0), map, Write::Over);
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
        let queries = self.query_rows(self.q, first, count).t();
        packed.logits(queries, width, &mut scratch.map);
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
