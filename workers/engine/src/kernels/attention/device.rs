//! Attention by candle's operations, for devices other than the CPU: a block of queries at a time.

use candle_core::{D, Result, Tensor};

use super::head::Sizes;
use super::keys::Keys;

/// Queries whose map exists at once.
const QUERIES: usize = 1024;

/// The value of detached operands (b, n, heads·d).
pub(in crate::kernels) fn forward(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    sizes: &Sizes,
    keys: &Keys,
) -> Result<Tensor> {
    let [q, k, v] = [split(q, sizes)?, split(k, sizes)?, split(v, sizes)?];
    let mut blocks = Vec::new();
    for first in (0..sizes.queries).step_by(QUERIES) {
        let q = q.narrow(2, first, QUERIES.min(sizes.queries - first))?;
        blocks.push(probabilities(&q, &k, first, sizes, keys)?.matmul(&v)?);
    }
    merge(&Tensor::cat(&blocks, 2)?)
}

/// The gradients of q, k and v, from detached q, k, v and the gradient of the value.
pub(in crate::kernels) fn gradients(
    operands: [&Tensor; 4],
    sizes: &Sizes,
    keys: &Keys,
) -> Result<[Tensor; 3]> {
    let [q, k, v, dy] = operands;
    let [q, k, v, dy] = [
        split(q, sizes)?,
        split(k, sizes)?,
        split(v, sizes)?,
        split(dy, sizes)?,
    ];
    let (mut dq, mut dk, mut dv) = (Vec::new(), k.zeros_like()?, v.zeros_like()?);
    for first in (0..sizes.queries).step_by(QUERIES) {
        let count = QUERIES.min(sizes.queries - first);
        let (q, dy) = (
            q.narrow(2, first, count)?.contiguous()?,
            dy.narrow(2, first, count)?.contiguous()?,
        );
        let map = probabilities(&q, &k, first, sizes, keys)?; // (b, heads, count, nk)
        let slope = dy.matmul(&v.t()?)?;
        let level = (&slope * &map)?.sum_keepdim(D::Minus1)?;
        let slope = ((map.clone() * slope.broadcast_sub(&level)?)? * f64::from(sizes.scale()))?;
        dq.push(slope.matmul(&k)?);
        dk = (dk + slope.t()?.matmul(&q)?)?;
        dv = (dv + map.t()?.matmul(&dy)?)?;
    }
    Ok([merge(&Tensor::cat(&dq, 2)?)?, merge(&dk)?, merge(&dv)?])
}

/// The map of a block of queries: q (b, heads, count, d), k (b, heads, nk, d) -> (b, heads, count, nk).
fn probabilities(q: &Tensor, k: &Tensor, first: usize, sizes: &Sizes, keys: &Keys) -> Result<Tensor> {
    let logits = (q.contiguous()?.matmul(&k.t()?)? * f64::from(sizes.scale()))?;
    let logits = match keys {
        Keys::All => logits,
        Keys::Causal => only(&causal(first, q.dim(2)?, sizes.keys, q)?, &logits)?,
        Keys::Kept { mask, .. } => only(mask, &logits)?,
    };
    softmax(&logits)
}

/// Softmax of the last dimension by operations that are differentiable.
pub(super) fn softmax(logits: &Tensor) -> Result<Tensor> {
    let exps = logits
        .broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?
        .exp()?;
    exps.broadcast_div(&exps.sum_keepdim(D::Minus1)?)
}

/// -inf where the mask is 0.
fn only(mask: &Tensor, logits: &Tensor) -> Result<Tensor> {
    let hidden = Tensor::new(f32::NEG_INFINITY, logits.device())?.to_dtype(logits.dtype())?;
    mask.broadcast_as(logits.shape())?
        .where_cond(logits, &hidden.broadcast_as(logits.shape())?)
}

fn causal(first: usize, count: usize, keys: usize, like: &Tensor) -> Result<Tensor> {
    let marks: Vec<u8> = (first..first + count)
        .flat_map(|row| (0..keys).map(move |k| u8::from(k <= row)))
        .collect();
    Tensor::from_vec(marks, (1, 1, count, keys), like.device())
}

/// (b, n, heads·d) -> (b, heads, n, d).
pub(super) fn split(t: &Tensor, sizes: &Sizes) -> Result<Tensor> {
    t.reshape((sizes.batch, t.dim(1)?, sizes.heads, sizes.dim))?
        .transpose(1, 2)?
        .contiguous()
}

/// (b, heads, n, d) -> (b, n, heads·d).
fn merge(t: &Tensor) -> Result<Tensor> {
    t.transpose(1, 2)?.contiguous()?.flatten_from(2)
}
