//! The attention gradients on a CPU.

use rayon::prelude::*;

use super::super::gemm::{Mat, MatMut, Threads, Write, gemm};
use super::super::wide::{exp, sum, wide};
use super::forward::Operands;
use super::head::{Head, Sizes};
use super::keys::Keys;

/// What the forward pass made and the gradient of it, as rows (b, nq, heads·d); `lse` is (b, heads, nq).
pub(super) struct Result<'a> {
    pub(super) y: &'a [f32],
    pub(super) dy: &'a [f32],
    pub(super) lse: &'a [f32],
}

/// The gradients of q, k and v, each laid out like its operand.
///
/// A head is one task and goes through its queries in order, so the sums over queries have one order.
pub(super) fn backward(
    sizes: &Sizes,
    keys: &Keys,
    operands: &Operands<'_>,
    result: &Result<'_>,
) -> [Vec<f32>; 3] {
    let gathered = operands.gathered(sizes, keys);
    let (of_queries, of_keys) = (sizes.queries * sizes.dim, sizes.keys * sizes.dim);
    let mut dq = vec![0.0; operands.q.len()]; // (b, heads, nq, d)
    let mut dk = vec![0.0; operands.k.len()]; // (b, heads, nk, d), kept keys first
    let mut dv = vec![0.0; operands.v.len()];
    let gradients = dq
        .par_chunks_mut(of_queries)
        .zip(dk.par_chunks_mut(of_keys))
        .zip(dv.par_chunks_mut(of_keys));
    gradients.enumerate().for_each(|(index, ((dq, dk), dv))| {
        let [k, v] = &gathered[index / sizes.heads];
        let head = Head {
            causal: keys.is_causal(),
            ..Head::new(sizes, index, operands.q, k)
        };
        let start = index / sizes.heads * sizes.queries * sizes.width() + index % sizes.heads * sizes.dim;
        let pass = Pass {
            head,
            v: &v[index % sizes.heads * sizes.dim..],
            y: &result.y[start..],
            dy: &result.dy[start..],
            lse: &result.lse[index * sizes.queries..][..sizes.queries],
            scale: sizes.scale(),
        };
        pass.run(sizes.tile(), dq, dk, dv);
    });
    let dq = sizes.merge_heads(&dq, sizes.queries);
    [
        dq,
        scatter_heads(sizes, keys, &dk),
        scatter_heads(sizes, keys, &dv),
    ]
}

/// One head's backward pass.
struct Pass<'a> {
    head: Head<'a>,
    v: &'a [f32],
    y: &'a [f32],
    dy: &'a [f32],
    lse: &'a [f32],
    scale: f32,
}

impl Pass<'_> {
    fn run(&self, tile: usize, dq: &mut [f32], dk: &mut [f32], dv: &mut [f32]) {
        let dim = self.head.dim;
        let (mut map, mut slope) = (Vec::new(), Vec::new());
        for (i, dq) in dq.chunks_mut(tile * dim).enumerate() {
            let (first, count) = (i * tile, dq.len() / dim);
            let reach = self.head.logits(first, count, &mut map);
            let dy = self.head.query_rows(self.dy, first, count);
            slope.resize(count * reach, 0.0);
            let v = self.head.key_rows(self.v, reach);
            gemm(
                MatMut::packed(&mut slope, count, reach),
                dy,
                v.t(),
                Write::Over,
                Threads::One,
            );
            self.slopes(first, reach, &mut map, &mut slope);
            let (map, slope) = (Mat::packed(&map, count, reach), Mat::packed(&slope, count, reach));
            let q = self.head.query_rows(self.head.q, first, count);
            let k = self.head.key_rows(self.head.k, reach);
            gemm(
                MatMut::packed(dv, reach, dim),
                map.t(),
                dy,
                Write::Add,
                Threads::One,
            );
            gemm(
                MatMut::packed(dk, reach, dim),
                slope.t(),
                q,
                Write::Add,
                Threads::One,
            );
            gemm(
                MatMut::packed(dq, count, dim),
                slope,
                k,
                Write::Over,
                Threads::One,
            );
        }
    }

    /// Turns logits into probabilities p, and the gradients g of the probabilities into those of the logits:
    /// `p (g - <y, dy>) · scale`.
    fn slopes(&self, first: usize, reach: usize, map: &mut [f32], slope: &mut [f32]) {
        let (stride, dim) = (self.head.stride, self.head.dim);
        let rows = map.chunks_mut(reach).zip(slope.chunks_mut(reach)).enumerate();
        for (i, (p, g)) in rows {
            let row = first + i;
            let (y, dy) = (&self.y[row * stride..][..dim], &self.dy[row * stride..][..dim]);
            let visible = self.head.visible(row);
            p[visible..].fill(0.0);
            g[visible..].fill(0.0);
            let (p, g) = (&mut p[..visible], &mut g[..visible]);
            // Read through `self` inside the loop, they would be read again for every element, one element at a time.
            let (scale, lse) = (self.scale, self.lse[row]);
            wide(
                #[inline(always)]
                || {
                    let level = sum([y, dy], |[y, dy]| y * dy);
                    for (p, g) in p.iter_mut().zip(g) {
                        *p = exp(*p * scale - lse);
                        *g = *p * (*g - level) * scale;
                    }
                },
            );
        }
    }
}

/// Brings (b, heads, nk, d), kept keys first, into rows (b, nk, heads·d), zero for keys that took no part.
fn scatter_heads(sizes: &Sizes, keys: &Keys, by_head: &[f32]) -> Vec<f32> {
    let (width, dim, n) = (sizes.width(), sizes.dim, sizes.keys);
    let mut rows = vec![0.0; by_head.len()];
    let samples = rows
        .par_chunks_mut(n * width)
        .zip(by_head.par_chunks(n * width))
        .enumerate();
    samples.for_each(|(sample, (rows, by_head))| {
        let kept = keys.count(sample, sizes);
        for (head, lines) in by_head.chunks(n * dim).enumerate() {
            for (i, line) in lines.chunks(dim).take(kept).enumerate() {
                let at = keys.position(sample, i) * width + head * dim;
                rows[at..][..dim].copy_from_slice(line);
            }
        }
    });
    rows
}
