//! The attention value on a CPU.

use std::borrow::Cow;

use rayon::prelude::*;

use super::super::product::WIDTH;
use super::Factors;
use super::head::{Head, Sizes};
use super::keys::Keys;
use super::panel::{Packed, Scratch};

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
pub(super) fn forward(
    sizes: &Sizes,
    keys: &Keys,
    operands: &Operands<'_>,
    factors: Factors,
) -> (Vec<f32>, Vec<f32>) {
    let (queries, dim) = (sizes.queries, sizes.dim);
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
        let packed = Packed::new(&head, &v[index % sizes.heads * dim..], factors);
        let panels = out
            .par_chunks_mut(WIDTH * dim)
            .zip(lse.par_chunks_mut(WIDTH))
            .enumerate();
        panels.for_each_init(Scratch::default, |scratch, (i, (out, lse))| {
            head.panel((i * WIDTH, sizes.scale()), &packed, (out, lse), scratch);
        });
    });
    (sizes.merge_heads(&by_head, queries), lse)
}
