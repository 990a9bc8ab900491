//! Chosen columns of an attention map, averaged over the heads.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::super::gemm::{Mat, MatMut, Threads, Write, gemm};
use super::super::op::{elements, tensor_like, with_elements};
use super::super::wide::{exp, max, sum, wide};
use super::device;
use super::head::{Head, Sizes};

/// The probabilities with which queries look at chosen keys, averaged over the heads: q (b, nq, heads·d),
/// k (b, nk, heads·d), the same number of columns for each sample -> (b, nq, columns).
///
/// The softmax runs over all keys. Gradients flow to q and k; the map itself is not stored.
pub fn attention_columns(q: &Tensor, k: &Tensor, heads: usize, columns: &[Vec<usize>]) -> Result<Tensor> {
    let sizes = Sizes::of(q, k, heads)?;
    let count = columns.first().map_or(0, Vec::len);
    if columns.len() != sizes.batch || count == 0 || columns.iter().any(|row| row.len() != count) {
        bail!(
            "attention_columns: columns {columns:?} for {} samples",
            sizes.batch
        );
    }
    if columns.iter().flatten().any(|column| *column >= sizes.keys) {
        bail!("attention_columns: columns {columns:?} of {} keys", sizes.keys);
    }
    let (q, k) = (q.contiguous()?, k.contiguous()?);
    if q.device().is_cpu() {
        return q.apply_op2(
            &k,
            Columns {
                sizes,
                columns: columns.to_vec(),
            },
        );
    }
    on_device(&q, &k, &sizes, columns)
}

/// The whole map on candle's graph; there are few text keys.
pub(in crate::kernels) fn on_device(
    q: &Tensor,
    k: &Tensor,
    sizes: &Sizes,
    columns: &[Vec<usize>],
) -> Result<Tensor> {
    let logits = device::split(q, sizes)?.matmul(&device::split(k, sizes)?.t()?)?;
    let map = device::softmax(&(logits * f64::from(sizes.scale()))?)?.mean(1)?; // (b, nq, nk)
    let mut rows = Vec::with_capacity(columns.len());
    for (sample, row) in columns.iter().enumerate() {
        let row: Vec<u32> = row.iter().map(|column| *column as u32).collect();
        let index = Tensor::new(row, q.device())?;
        rows.push(map.narrow(0, sample, 1)?.contiguous()?.index_select(&index, 2)?);
    }
    Tensor::cat(&rows, 0)
}

struct Columns {
    sizes: Sizes,
    columns: Vec<Vec<usize>>,
}

impl Columns {
    fn count(&self) -> usize {
        self.columns[0].len()
    }

    fn head<'a>(&self, index: usize, q: &'a [f32], k: &'a [f32]) -> Head<'a> {
        let sample = self.sizes.keys * self.sizes.width();
        Head::new(
            &self.sizes,
            index,
            q,
            &k[index / self.sizes.heads * sample..][..sample],
        )
    }

    /// Adds one head's share of the chosen probabilities of the queries from `first` on to `out` (rows, columns).
    fn add_head(
        &self,
        head: &Head<'_>,
        columns: &[usize],
        first: usize,
        out: &mut [f32],
        map: &mut Vec<f32>,
    ) {
        let share = 1.0 / self.sizes.heads as f32;
        let reach = head.logits(first, out.len() / columns.len(), map);
        for (p, out) in map.chunks_mut(reach).zip(out.chunks_mut(columns.len())) {
            softmax(p, self.sizes.scale());
            columns
                .iter()
                .zip(out)
                .for_each(|(column, out)| *out += p[*column] * share);
        }
    }

    /// The gradients of q and k as (b, heads, n, d).
    fn gradients_by_head(&self, q: &[f32], k: &[f32], dy: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (sizes, columns) = (&self.sizes, self.count());
        let (mut dq, mut dk) = (vec![0.0; q.len()], vec![0.0; k.len()]);
        let heads = dq
            .par_chunks_mut(sizes.queries * sizes.dim)
            .zip(dk.par_chunks_mut(sizes.keys * sizes.dim));
        heads.enumerate().for_each(|(index, (dq, dk))| {
            let sample = index / sizes.heads;
            let dy = &dy[sample * sizes.queries * columns..][..sizes.queries * columns];
            self.head_gradient(&self.head(index, q, k), &self.columns[sample], dy, (dq, dk));
        });
        (dq, dk)
    }

    fn head_gradient(
        &self,
        head: &Head<'_>,
        columns: &[usize],
        dy: &[f32],
        (dq, dk): (&mut [f32], &mut [f32]),
    ) {
        let (tile, dim) = (self.sizes.tile(), self.sizes.dim);
        let mut map = Vec::new();
        let tiles = dq
            .chunks_mut(tile * dim)
            .zip(dy.chunks(tile * columns.len()))
            .enumerate();
        for (i, (dq, dy)) in tiles {
            let (first, count) = (i * tile, dq.len() / dim);
            let reach = head.logits(first, count, &mut map);
            for (p, dy) in map.chunks_mut(reach).zip(dy.chunks(columns.len())) {
                self.slope_row(p, columns, dy);
            }
            let slope = Mat::packed(&map, count, reach);
            let (q, k) = (
                head.query_rows(head.q, first, count),
                head.key_rows(head.k, reach),
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

    /// Turns a row of logits into their gradient: `p (g - <p, g>) · scale`, g being non-zero in the columns only.
    fn slope_row(&self, row: &mut [f32], columns: &[usize], dy: &[f32]) {
        let scale = self.sizes.scale();
        softmax(row, scale);
        let weight = scale / self.sizes.heads as f32;
        let chosen: Vec<f32> = columns
            .iter()
            .zip(dy)
            .map(|(column, dy)| row[*column] * dy * weight)
            .collect();
        let level = sum([&chosen], |[c]| c);
        wide(
            #[inline(always)]
            || {
                for p in row.iter_mut() {
                    *p *= -level;
                }
            },
        );
        columns
            .iter()
            .zip(&chosen)
            .for_each(|(column, chosen)| row[*column] += chosen);
    }
}

/// Turns logits into softmax probabilities in place; returns the logarithm of the denominator.
fn softmax(row: &mut [f32], scale: f32) -> f32 {
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

impl CustomOp2 for Columns {
    fn name(&self) -> &'static str {
        "attention_columns"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        lq: &Layout,
        k: &CpuStorage,
        lk: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (q, k) = (elements(q, lq)?, elements(k, lk)?);
        let (sizes, count, tile) = (&self.sizes, self.count(), self.sizes.tile());
        let mut out = vec![0.0; sizes.batch * sizes.queries * count];
        let samples = out.par_chunks_mut(sizes.queries * count).enumerate();
        samples.for_each(|(sample, out)| {
            let tiles = out.par_chunks_mut(tile * count).enumerate();
            tiles.for_each_init(Vec::new, |map, (i, out)| {
                for head in 0..sizes.heads {
                    let head = self.head(sample * sizes.heads + head, q, k);
                    self.add_head(&head, &self.columns[sample], i * tile, out, map);
                }
            });
        });
        Ok((CpuStorage::F32(out), (sizes.batch, sizes.queries, count).into()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let sizes = &self.sizes;
        let (dq, dk) = with_elements(q, |q_| {
            with_elements(k, |k_| {
                with_elements(dy, |dy| Ok(self.gradients_by_head(q_, k_, dy)))
            })
        })?;
        let dq = tensor_like(q, sizes.merge_heads(&dq, sizes.queries))?;
        let dk = tensor_like(k, sizes.merge_heads(&dk, sizes.keys))?;
        Ok((
            Some(dq).filter(|_| q.track_op()),
            Some(dk).filter(|_| k.track_op()),
        ))
    }
}
