//! One head of one sample.

use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

use super::super::gemm::{Mat, MatMut, Threads, Write, gemm};

/// Elements of one tile of the map: 1 MB, to stay in a core's cache.
const TILE_ELEMENTS: usize = 1 << 18;

/// The sizes of a multi-head attention.
#[derive(Debug, Clone, Copy)]
pub(in crate::kernels) struct Sizes {
    pub(super) batch: usize,
    pub(super) heads: usize,
    pub(super) queries: usize,
    pub(super) keys: usize,
    /// Elements per head.
    pub(super) dim: usize,
}

impl Sizes {
    /// From q (b, nq, heads·d) and k (b, nk, heads·d).
    pub(in crate::kernels) fn of(q: &Tensor, k: &Tensor, heads: usize) -> Result<Self> {
        let (batch, queries, width) = q.dims3()?;
        let (key_batch, keys, key_width) = k.dims3()?;
        if key_batch != batch || key_width != width {
            bail!(
                "attention: queries {:?} and keys {:?} do not match",
                q.dims(),
                k.dims()
            );
        }
        if heads == 0 || width % heads != 0 || q.elem_count() == 0 || keys == 0 {
            bail!(
                "attention: queries {:?} and keys {:?} in {heads} heads",
                q.dims(),
                k.dims()
            );
        }
        Ok(Self {
            batch,
            heads,
            queries,
            keys,
            dim: width / heads,
        })
    }

    /// Elements of a row of all heads.
    pub(super) fn width(&self) -> usize {
        self.heads * self.dim
    }

    /// The factor in front of the logits.
    pub(super) fn scale(&self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }

    /// Queries handled together; depends on the sizes alone, so results do too.
    pub(super) fn tile(&self) -> usize {
        (TILE_ELEMENTS / self.keys).clamp(16, 128).min(self.queries)
    }

    /// Brings (b, heads, n, d) into rows (b, n, heads·d).
    pub(super) fn merge_heads(&self, by_head: &[f32], n: usize) -> Vec<f32> {
        let (width, dim) = (self.width(), self.dim);
        let mut rows = vec![0.0; by_head.len()];
        let samples = rows.par_chunks_mut(n * width).zip(by_head.par_chunks(n * width));
        samples.for_each(|(rows, by_head)| {
            for (head, lines) in by_head.chunks(n * dim).enumerate() {
                for (row, line) in rows.chunks_mut(width).zip(lines.chunks(dim)) {
                    row[head * dim..][..dim].copy_from_slice(line);
                }
            }
        });
        rows
    }
}

/// One head's queries and keys, each a column block of rows `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) q: &'a [f32],
    pub(super) k: &'a [f32],
    /// Keys that take part.
    pub(super) keys: usize,
    pub(super) dim: usize,
    pub(super) stride: usize,
    pub(super) causal: bool,
}

impl<'a> Head<'a> {
    /// Head `index` counted over all samples; `k` holds the sample's keys only.
    pub(super) fn new(sizes: &Sizes, index: usize, q: &'a [f32], k: &'a [f32]) -> Self {
        let (sample, head) = (index / sizes.heads, index % sizes.heads);
        let (stride, column) = (sizes.width(), head * sizes.dim);
        let q = &q[sample * sizes.queries * stride + column..];
        Self {
            q,
            k: &k[column..],
            keys: k.len() / stride,
            dim: sizes.dim,
            stride,
            causal: false,
        }
    }

    /// Rows of a matrix laid out like the queries.
    pub(super) fn query_rows(&self, like_q: &'a [f32], first: usize, count: usize) -> Mat<'a> {
        Mat::strided(&like_q[first * self.stride..], count, self.dim, self.stride)
    }

    /// The first `count` rows of a matrix laid out like the keys.
    pub(super) fn key_rows(&self, like_k: &'a [f32], count: usize) -> Mat<'a> {
        Mat::strided(like_k, count, self.dim, self.stride)
    }

    /// How many keys any of the queries `first..first + count` sees.
    pub(super) fn reach(&self, first: usize, count: usize) -> usize {
        if self.causal { first + count } else { self.keys }
    }

    /// How many keys query `row` sees.
    pub(super) fn visible(&self, row: usize) -> usize {
        self.reach(row, 1)
    }

    /// Unscaled logits of `count` queries from `first` on: (count, reach).
    pub(super) fn logits(&self, first: usize, count: usize, scores: &mut Vec<f32>) -> usize {
        let reach = self.reach(first, count);
        scores.resize(count * reach, 0.0);
        let out = MatMut::packed(scores, count, reach);
        let keys = self.key_rows(self.k, reach).t();
        gemm(
            out,
            self.query_rows(self.q, first, count),
            keys,
            Write::Over,
            Threads::One,
        );
        reach
    }
}
