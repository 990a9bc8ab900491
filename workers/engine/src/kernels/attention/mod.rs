//! Multi-head attention that never stores a map: the backward pass computes it again, a tile of queries at a time.

mod backward;
pub(super) mod columns;
pub(super) mod device;
mod forward;
pub(super) mod head;
pub(super) mod keys;
mod panel;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

pub use columns::attention_columns;
use head::Sizes;
use keys::Keys;

use super::op::{elements, with_elements};
use super::product::rounded;

/// Which keys a query may look at. A masked logit never enters the softmax.
#[derive(Debug, Clone, Copy)]
pub enum Mask<'a> {
    /// All of them.
    None,
    /// Those at its own position and before; as many queries as keys.
    Causal,
    /// Those marked 1 in a u8 tensor (b, keys), the same for all queries and heads. Each row must keep a key.
    Keys(&'a Tensor),
}

/// `softmax(q kᵀ / sqrt(d)) v` in each head: q (b, nq, heads·d), k and v (b, nk, heads·d) -> (b, nq, heads·d).
///
/// Gradients flow to q, k and v.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask<'_>) -> Result<Tensor> {
    attend([q, k, v], heads, mask, Factors::F32)
}

/// The same with both products of bfloat16 on a CPU: queries, keys, values and probabilities are rounded, logits, sums and
/// the softmax are f32. Gradients are those at the rounded queries, keys and values, in f32, from the value as it was computed.
///
/// The value is the same on any processor but for denormals, which AVX512-BF16 takes for zero; a processor without that takes
/// longer for it than for [`attention`]. On other devices it is [`attention`].
pub fn attention_bf16(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask<'_>) -> Result<Tensor> {
    attend([q, k, v], heads, mask, Factors::Bf16)
}

/// What products are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Factors {
    F32,
    Bf16,
}

fn attend([q, k, v]: [&Tensor; 3], heads: usize, mask: Mask<'_>, factors: Factors) -> Result<Tensor> {
    let sizes = Sizes::of(q, k, heads)?;
    if v.dims() != k.dims() {
        bail!("attention: keys {:?} and values {:?} differ", k.dims(), v.dims());
    }
    let keys = Keys::new(mask, &sizes)?;
    let (q, k, v) = (q.contiguous()?, k.contiguous()?, v.contiguous()?);
    if !q.device().is_cpu() && ![&q, &k, &v].iter().any(|t| t.track_op()) {
        return device::forward(&q, &k, &v, &sizes, &keys);
    }
    q.apply_op3(
        &k,
        &v,
        Attention {
            sizes,
            keys,
            factors,
            lse: OnceLock::new(),
        },
    )
}

impl Factors {
    /// An operand as products see it.
    fn of(self, values: &[f32]) -> Cow<'_, [f32]> {
        match self {
            Self::F32 => Cow::Borrowed(values),
            Self::Bf16 => Cow::Owned(rounded(values)),
        }
    }
}

struct Attention {
    sizes: Sizes,
    keys: Keys,
    factors: Factors,
    /// The logarithm of each softmax denominator (b, heads, nq), from which the backward pass remakes the map.
    lse: OnceLock<Vec<f32>>,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let operands = forward::Operands {
            q: elements(q, q_layout)?,
            k: elements(k, k_layout)?,
            v: elements(v, v_layout)?,
        };
        let (y, lse) = forward::forward(&self.sizes, &self.keys, &operands, self.factors);
        if self.lse.set(lse).is_err() {
            bail!("attention: the operator was applied twice");
        }
        Ok((CpuStorage::F32(y), q_layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        q: &candle_core::CudaStorage,
        q_layout: &Layout,
        k: &candle_core::CudaStorage,
        k_layout: &Layout,
        v: &candle_core::CudaStorage,
        v_layout: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        super::cuda::through(&[(q, q_layout), (k, k_layout), (v, v_layout)], |t| {
            device::forward(&t[0], &t[1], &t[2], &self.sizes, &self.keys)
        })
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dq, dk, dv] = if q.device().is_cpu() {
            self.cpu_gradients(q, k, v, y, dy)?
        } else {
            let detached = [q, k, v, dy].map(Tensor::detach);
            device::gradients(detached.each_ref(), &self.sizes, &self.keys)?
        };
        // A constant operand gets no entry in the gradient store.
        Ok((
            Some(dq).filter(|_| q.track_op()),
            Some(dk).filter(|_| k.track_op()),
            Some(dv).filter(|_| v.track_op()),
        ))
    }
}

impl Attention {
    fn cpu_gradients(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<[Tensor; 3]> {
        let Some(lse) = self.lse.get() else {
            bail!("attention: backward without forward");
        };
        let [dq, dk, dv] = with_elements(q, |q| {
            with_elements(k, |k| {
                with_elements(v, |v| {
                    with_elements(y, |y| {
                        with_elements(dy, |dy| {
                            let [q, k, v] = [q, k, v].map(|values| self.factors.of(values));
                            let operands = forward::Operands { q: &q, k: &k, v: &v };
                            let result = backward::Result { y, dy, lse };
                            Ok(backward::backward(&self.sizes, &self.keys, &operands, &result))
                        })
                    })
                })
            })
        })?;
        let tensor = |values, like: &Tensor| super::op::tensor_like(like, values);
        Ok([tensor(dq, q)?, tensor(dk, k)?, tensor(dv, v)?])
    }
}
