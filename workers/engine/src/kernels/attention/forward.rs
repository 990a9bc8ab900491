//! The attention value on a CPU.

use std::borrow::Cow;

use rayon::prelude::*;

use super::super::gemm::{Mat, MatMut, Threads, Write, gemm};
use super::super::wide::{exp, max, sum, wide};
use super::head::{Head, Sizes};
use super::keys::Keys;

/// One sample's rows (kept keys, heads·d), copied only if some were left out.
type Rows<'a> = Cow<'a, [f32]>;

/// Queries, keys and values as rows (b, n, heads·d).
pub(super) struct Operands<'a> {
    pub(super) q: &'a [f32],
    pub(super) k: &'a [f32],
    pub(super) v: &'a [f32],
}

impl<'a> Operands<'a> {
    /// Keys and values that take part, per sample.
    pub(super) fn gathered(&self, sizes: &Sizes, keys: &Keys) -> Vec<[Rows<'a>; 2]> {
        let (width, sample) = (sizes.width(), sizes.keys * sizes.width());
        let samples = self.k.chunks(sample).zip(self.v.chunks(sample)).enumerate();
        samples
            .map(|(i, (k, v))| [keys.gather(i, k, width), keys.gather(i, v, width)])
            .collect()
    }
}

/// The value (b, nq, heads·d) and the logarithms of the softmax denominators (b, heads, nq).
pub(super) fn forward(sizes: &Sizes, keys: &Keys, operands: &Operands<'_>) -> (Vec<f32>, Vec<f32>) {
    let (queries, dim, tile) = (sizes.queries, sizes.dim, sizes.tile());
    let gathered = operands.gathered(sizes, keys);
    let mut by_head = vec![0.0; operands.q.len()]; // (b, heads, nq, d)
    let mut lse = vec![0.0; sizes.batch * sizes.heads * queries];
    let heads = by_head
        .par_chunks_mut(queries * dim)
        .zip(lse.par_chunks_mut(queries))
        .enumerate();
    heads.for_each(|(index, (out, lse))| {
        let [k, v] = &gathered[index / sizes.heads];
        let head = Head {
            causal: keys.is_causal(),
            ..Head::new(sizes, index, operands.q, k)
        };
        let v = &v[index % sizes.heads * dim..];
        let tiles = out
            .par_chunks_mut(tile * dim)
            .zip(lse.par_chunks_mut(tile))
            .enumerate();
        tiles.for_each_init(Vec::new, |scores, (i, (out, lse))| {
            head.forward_tile(i * tile, v, (out, lse), scores, sizes.scale());
        });
    });
    (sizes.merge_heads(&by_head, queries), lse)
}

impl<'a> Head<'a> {
    /// The queries from `first` on, as many as `lse` holds.
    fn forward_tile(
        &self,
        first: usize,
        v: &'a [f32],
        (out, lse): (&mut [f32], &mut [f32]),
        scores: &mut Vec<f32>,
        scale: f32,
    ) {
        let count = lse.len();
        let reach = self.logits(first, count, scores);
        for (i, row) in scores.chunks_mut(reach).enumerate() {
            let (seen, hidden) = row.split_at_mut(self.visible(first + i));
            lse[i] = softmax(seen, scale);
            hidden.fill(0.0);
        }
        let out_rows = MatMut::packed(out, count, self.dim);
        gemm(
            out_rows,
            Mat::packed(scores, count, reach),
            self.key_rows(v, reach),
            Write::Over,
            Threads::One,
        );
    }
}

/// Turns logits into softmax probabilities in place; returns the logarithm of the denominator.
pub(super) fn softmax(row: &mut [f32], scale: f32) -> f32 {
    wide(
        #[inline(always)]
        || {
            let peak = max(row);
            for s in row.iter_mut() {
                *s = exp((*s - peak) * scale);
            }
            let total = sum([&*row], |[p]| p);
            let share = 1.0 / total;
            for s in row.iter_mut() {
                *s *= share;
            }
            peak * scale + total.ln()
        },
    )
}
