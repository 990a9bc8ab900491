//! Operators with trained parameters by candle's own differentiable operations: on another device than a CPU, and where a
//! parameter is not f32.

use candle_core::conv::CudnnFwdAlgo;
use candle_core::{DType, Result, Tensor};

use super::group_norm::GroupNorm;
use super::layer_norm::LayerNorm;
use super::linear::with_last;
use super::{Chain, Conv2dGeometry, GroupNormSpec, silu};

/// How cuDNN convolves: good at every size. Left to choose, it thinks for milliseconds before every single convolution.
pub(super) const CUDNN: Option<CudnnFwdAlgo> = Some(CudnnFwdAlgo::ImplicitPrecompGemm);

/// Whether an operator with these parameters is computed here. [`super::trained`] takes those of which all that are tracked are
/// f32 and on a CPU.
pub(super) fn takes(weight: &Tensor, bias: Option<&Tensor>) -> bool {
    let mut tracked = std::iter::once(weight).chain(bias).filter(|p| p.track_op());
    tracked.any(|p| !p.device().is_cpu() || p.dtype() != DType::F32)
}

/// The operator `linear`.
pub(super) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let dims = with_last(x.dims(), weight.dim(0)?);
    let rows = x.contiguous()?.reshape(((), weight.dim(1)?))?;
    let y = rows.matmul(&weight.t()?)?;
    let y = match bias {
        Some(bias) => y.broadcast_add(bias)?,
        None => y,
    };
    y.reshape(dims)
}

/// The operator `conv2d`.
pub(super) fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    Conv2dGeometry { stride, padding }: Conv2dGeometry,
) -> Result<Tensor> {
    let y = x.conv2d_with_algo(weight, padding, stride, 1, 1, CUDNN)?;
    match bias {
        Some(bias) => y.broadcast_add(&bias.reshape((1, (), 1, 1))?),
        None => Ok(y),
    }
}

/// The operator `layer_norm`: normalises, then scales and shifts by differentiable operations.
pub(super) fn layer_norm(x: Chain, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let normal = x.then(LayerNorm { affine: None, eps })?.end()?;
    normal.broadcast_mul(weight)?.broadcast_add(bias)
}

/// The operator `group_norm`: normalises with a unit weight, then scales and shifts by differentiable operations.
pub(super) fn group_norm(x: Chain, weight: &Tensor, bias: &Tensor, spec: GroupNormSpec) -> Result<Tensor> {
    let normal = x.then(GroupNorm {
        weight: weight.detach().ones_like()?,
        bias: bias.detach().zeros_like()?,
        spec: GroupNormSpec { silu: false, ..spec },
    })?;
    let c = weight.elem_count();
    let y = normal.end()?.broadcast_mul(&weight.reshape((1, c, 1, 1))?)?;
    let y = y.broadcast_add(&bias.reshape((1, c, 1, 1))?)?;
    if spec.silu { silu(&y) } else { Ok(y) }
}
