//! Two-dimensional convolution.

use candle_core::{Result, Shape, Tensor, bail};

use super::Chain;
use super::by_candle::{self, CUDNN};
use super::im2col::{Left, Tile, Window};
use super::op::{self, Frozen, FrozenOp, with_elements, with_frozen};
use super::winograd::{self, Maps, Weight, convolve};

/// Where a convolution looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dGeometry {
    /// Distance between neighbouring outputs, in inputs.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: usize,
}

/// Cross-correlates x (b, cin, h, w) with weight (cout, cin, k, k) and adds bias (cout).
///
/// Frozen parameters receive no gradient; trainable ones do.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    geometry: Conv2dGeometry,
) -> Result<Tensor> {
    Chain::on(x)?.conv2d(weight, bias, geometry)?.end()
}

impl Chain {
    /// As the function [`conv2d`].
    ///
    /// # Errors
    /// The sizes do not fit.
    pub fn conv2d(self, weight: &Tensor, bias: Option<&Tensor>, geometry: Conv2dGeometry) -> Result<Self> {
        check(self.shape(), weight, bias, geometry)?;
        if by_candle::takes(weight, bias) {
            return Self::on(&by_candle::conv2d(&self.end()?, weight, bias, geometry)?);
        }
        let op = FrozenConv2d {
            weight: weight.detach().contiguous()?,
            bias: bias.map(|bias| bias.detach().contiguous()).transpose()?,
            geometry,
        };
        self.through(op, weight, bias)
    }
}

fn check(x: &Shape, weight: &Tensor, bias: Option<&Tensor>, geometry: Conv2dGeometry) -> Result<()> {
    let (_, cin, h, w) = x.dims4()?;
    let (cout, weight_in, k, k2) = weight.dims4()?;
    if weight_in != cin || k != k2 || weight.elem_count() == 0 || geometry.stride == 0 {
        bail!(
            "conv2d: weight {:?} and {geometry:?} for an input {:?}",
            weight.dims(),
            x.dims()
        );
    }
    if h.min(w) == 0 || h.min(w) + 2 * geometry.padding < k {
        bail!("conv2d: a {h}x{w} image with {geometry:?} is smaller than the {k}x{k} kernel");
    }
    if let Some(bias) = bias
        && bias.dims() != [cout]
    {
        bail!("conv2d: bias {:?} for {cout} outputs", bias.dims());
    }
    Ok(())
}

pub(super) struct FrozenConv2d {
    pub(super) weight: Tensor,
    pub(super) bias: Option<Tensor>,
    pub(super) geometry: Conv2dGeometry,
}

impl FrozenConv2d {
    pub(super) fn window(&self, shape: &Shape) -> Result<Window> {
        let (_, channels, height, width) = shape.dims4()?;
        let Conv2dGeometry { stride, padding } = self.geometry;
        Ok(Window {
            channels,
            height,
            width,
            kernel: self.weight.dim(2)?,
            stride,
            padding,
        })
    }

    /// Whether 36 products instead of 144 do for sixteen outputs: a 3x3 kernel that keeps the size of the map, with enough
    /// channels to fill the products, and maps large enough to be worth the transform of the weights. That does not look at the
    /// number of images, whose results must not depend on it.
    fn is_winograd(&self, (height, width): (usize, usize)) -> bool {
        let same = Conv2dGeometry {
            stride: 1,
            padding: 1,
        };
        let &[outputs, inputs, kernel, _] = self.weight.dims() else {
            return false;
        };
        let is_large = height * width >= winograd::PIXELS && outputs.min(inputs) >= winograd::CHANNELS;
        kernel == 3 && self.geometry == same && is_large
    }

    /// By Winograd's way: what is convolved is `x` or, with the turned weight, the gradient of the output.
    fn winograd(&self, turned: bool, bias: Option<&[f32]>, x: &[f32], maps: Maps) -> Result<Vec<f32>> {
        let (outputs, inputs) = (self.weight.dim(0)?, self.weight.dim(1)?);
        with_frozen(&self.weight, |weight| {
            Ok(match weight {
                Frozen::F32(weight) => convolve(Weight::new(weight, outputs, inputs, turned), bias, x, maps),
                Frozen::Bf16(weight) => convolve(Weight::new(weight, outputs, inputs, turned), bias, x, maps),
            })
        })
    }

    pub(super) fn outputs(&self) -> usize {
        self.weight.dims()[0]
    }

    /// Every channel's bias over its plane, for every image.
    fn biased(&self, images: usize, plane: usize) -> Result<Vec<f32>> {
        let Some(bias) = &self.bias else {
            return Ok(vec![0.0; images * self.outputs() * plane]);
        };
        with_elements(bias, |bias| {
            let mut y = Vec::with_capacity(images * bias.len() * plane);
            for value in bias.iter().cycle().take(images * bias.len()) {
                y.resize(y.len() + plane, *value);
            }
            Ok(y)
        })
    }
}

impl FrozenOp for FrozenConv2d {
    fn reads_input(&self) -> bool {
        false
    }

    fn cpu(&self, x: &[f32], shape: &Shape) -> Result<(Vec<f32>, Shape)> {
        let (images, _, height, width) = shape.dims4()?;
        if self.is_winograd((height, width)) {
            let maps = Maps {
                images,
                height,
                width,
            };
            let y = match &self.bias {
                Some(bias) => with_elements(bias, |bias| self.winograd(false, Some(bias), x, maps))?,
                None => self.winograd(false, None, x, maps)?,
            };
            return Ok((y, (images, self.outputs(), height, width).into()));
        }
        let window = self.window(shape)?;
        let (height, width) = window.output();
        let (plane, outputs) = (height * width, self.outputs());
        let mut y = self.biased(images, plane)?;
        with_frozen(&self.weight, |weight| {
            let weight = Left::new(weight, outputs, window.rows());
            let size = window.channels * window.height * window.width;
            let mut tile = Tile::new(&window, plane);
            for (y, x) in y.chunks_mut(outputs * plane).zip(x.chunks(size)) {
                tile.forward(&weight, x, y);
            }
            Ok(())
        })?;
        Ok((y, (images, outputs, height, width).into()))
    }

    fn device(&self, x: &Tensor) -> Result<Tensor> {
        let Conv2dGeometry { stride, padding } = self.geometry;
        let y =
            x.to_dtype(self.weight.dtype())?
                .conv2d_with_algo(&self.weight, padding, stride, 1, 1, CUDNN)?;
        let y = y.to_dtype(x.dtype())?;
        match &self.bias {
            Some(bias) => y.broadcast_add(&bias.to_dtype(y.dtype())?.reshape((1, (), 1, 1))?),
            None => Ok(y),
        }
    }

    /// A forward convolution of the spread-out gradient with the turned weight: on CUDA the library's fast path,
    /// which candle's transposed convolution is not.
    fn device_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (_, _, h, w) = x.dims4()?;
        let (k, Conv2dGeometry { stride, padding }) = (self.weight.dim(2)?, self.geometry);
        let dy = spread(dy, 2, stride, h + 2 * padding + 1 - k)?;
        let dy = spread(&dy, 3, stride, w + 2 * padding + 1 - k)?;
        let turned = self.weight.flip(&[2, 3])?.transpose(0, 1)?.contiguous()?;
        let dy = dy.to_dtype(turned.dtype())?;
        let full = dy.conv2d_with_algo(&turned, k - 1, 1, 1, 1, CUDNN)?;
        full.to_dtype(x.dtype())?
            .narrow(2, padding, h)?
            .narrow(3, padding, w)?
            .contiguous()
    }

    fn cpu_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (images, _, height, width) = x.dims4()?;
        if self.is_winograd((height, width)) {
            let maps = Maps {
                images,
                height,
                width,
            };
            let dx = with_elements(dy, |dy| self.winograd(true, None, dy, maps))?;
            return op::tensor_like(x, dx);
        }
        let window = self.window(x.shape())?;
        let (height, width) = window.output();
        let (plane, outputs) = (height * width, self.outputs());
        let mut dx = vec![0.0; x.elem_count()];
        with_frozen(&self.weight, |weight| {
            with_elements(dy, |dy| {
                let turned = Left::transposed(weight, outputs, window.rows());
                let size = window.channels * window.height * window.width;
                let mut tile = Tile::new(&window, plane);
                for (dx, dy) in dx.chunks_mut(size).zip(dy.chunks(outputs * plane)) {
                    tile.backward(&turned, dy, dx);
                }
                Ok(())
            })
        })?;
        op::tensor_like(x, dx)
    }
}

/// Puts `stride - 1` zeros between the entries of a dimension and pads or cuts it to `length`.
fn spread(t: &Tensor, dim: usize, stride: usize, length: usize) -> Result<Tensor> {
    let mut dims = t.dims().to_vec();
    dims[dim] *= stride;
    let t = if stride == 1 {
        t.clone()
    } else {
        t.unsqueeze(dim + 1)?
            .pad_with_zeros(dim + 1, 0, stride - 1)?
            .reshape(dims)?
    };
    let have = t.dim(dim)?;
    if have < length {
        t.pad_with_zeros(dim, 0, length - have)
    } else {
        t.narrow(dim, 0, length)?.contiguous()
    }
}
