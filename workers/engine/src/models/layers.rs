//! Layers that pair weights from a file with their operator.

use std::sync::Arc;

use candle_core::{DType, Result, Tensor};

use crate::kernels::{Chain, Conv2dGeometry, GroupNormSpec, PackedLinear, is_trained};
use crate::weights::{LowRank, Weights};

use super::Loaded;

/// An affine map of the last dimension: `weight` (out, in), `bias` (out).
#[derive(Debug, Clone)]
pub struct Linear {
    map: Map,
    low_rank: Option<LowRank>,
}

#[derive(Debug, Clone)]
enum Map {
    Plain { weight: Tensor, bias: Option<Tensor> },
    Packed(Arc<PackedLinear>),
}

impl Linear {
    /// Reads `weight` and `bias`.
    pub fn load(weights: &Weights, inputs: usize, outputs: usize) -> Loaded<Self> {
        let bias = weights.get(outputs, "bias")?;
        Self::read(weights, (outputs, inputs), Some(bias))
    }

    /// Reads `weight`; there is no bias.
    pub fn load_unbiased(weights: &Weights, inputs: usize, outputs: usize) -> Loaded<Self> {
        Self::read(weights, (outputs, inputs), None)
    }

    fn read(weights: &Weights, shape: (usize, usize), bias: Option<Tensor>) -> Loaded<Self> {
        let weight = weights.get(shape, "weight")?;
        Ok(Self {
            map: Map::Plain { weight, bias },
            low_rank: weights.low_rank(),
        })
    }

    /// From tensors at hand: `weight` (out, in), `bias` (out).
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self {
            map: Map::Plain { weight, bias },
            low_rank: None,
        }
    }

    /// The same map, faster on a CPU where few rows come at a time, and without a backward pass.
    pub fn packed(self) -> Result<Self> {
        let map = match self.map {
            Map::Plain { weight, bias } if PackedLinear::fits(&weight, bias.as_ref()) => {
                Map::Packed(PackedLinear::new(&weight, bias.as_ref())?.into())
            }
            map => map,
        };
        Ok(Self { map, ..self })
    }

    /// Whether its matrix is kept in bfloat16.
    pub fn is_bf16(&self) -> bool {
        matches!(&self.map, Map::Plain { weight, .. } if weight.dtype() == DType::BF16)
    }

    /// Whether a [`Chain`] ends at it.
    pub fn learns(&self) -> bool {
        let is_tracked = match &self.map {
            Map::Plain { weight, bias } => is_trained(weight, bias.as_ref()),
            Map::Packed(_) => false,
        };
        is_tracked || self.low_rank.is_some()
    }

    /// (.., in) -> (.., out).
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.follow(Chain::on(x)?)?.end()
    }

    /// The same as a part of a chain.
    pub fn follow(&self, x: Chain) -> Result<Chain> {
        let Some(addition) = &self.low_rank else {
            return self.mapped(x);
        };
        let x = x.end()?;
        let added = Chain::on(&addition.forward(&x)?)?;
        Chain::on(&self.mapped(Chain::on(&x)?)?.plus(added)?)
    }

    /// Without what is added to it.
    fn mapped(&self, x: Chain) -> Result<Chain> {
        match &self.map {
            Map::Plain { weight, bias } => x.linear(weight, bias.as_ref()),
            Map::Packed(packed) => x.packed(packed),
        }
    }
}

/// A two-dimensional convolution: `weight` (cout, cin, k, k), `bias` (cout).
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    geometry: Conv2dGeometry,
}

/// The sizes of a [`Conv2d`].
#[derive(Debug, Clone, Copy)]
pub struct Conv2dSize {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Edge of the square kernel.
    pub kernel: usize,
    /// Stride and padding.
    pub geometry: Conv2dGeometry,
}

impl Conv2dSize {
    /// A convolution that keeps the size of the map: kernel 1 or another odd number.
    pub fn same(inputs: usize, outputs: usize, kernel: usize) -> Self {
        let geometry = Conv2dGeometry {
            stride: 1,
            padding: kernel / 2,
        };
        Self {
            inputs,
            outputs,
            kernel,
            geometry,
        }
    }
}

impl Conv2d {
    /// Reads `weight` and `bias`.
    pub fn load(weights: &Weights, size: Conv2dSize) -> Loaded<Self> {
        let bias = weights.get(size.outputs, "bias")?;
        Ok(Self {
            bias: Some(bias),
            ..Self::load_unbiased(weights, size)?
        })
    }

    /// Reads `weight`; there is no bias.
    pub fn load_unbiased(weights: &Weights, size: Conv2dSize) -> Loaded<Self> {
        let shape = (size.outputs, size.inputs, size.kernel, size.kernel);
        Ok(Self {
            weight: weights.get(shape, "weight")?,
            bias: None,
            geometry: size.geometry,
        })
    }

    /// (b, cin, h, w) -> (b, cout, h', w').
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.follow(Chain::on(x)?)?.end()
    }

    /// The same as a part of a chain.
    pub fn follow(&self, x: Chain) -> Result<Chain> {
        x.conv2d(&self.weight, self.bias.as_ref(), self.geometry)
    }
}

/// Group normalisation of (b, c, h, w), with or without a SiLU behind it.
#[derive(Debug, Clone)]
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    spec: GroupNormSpec,
}

impl GroupNorm {
    /// Reads `weight` and `bias`.
    pub fn load(weights: &Weights, channels: usize, spec: GroupNormSpec) -> Loaded<Self> {
        Ok(Self {
            weight: weights.get(channels, "weight")?,
            bias: weights.get(channels, "bias")?,
            spec,
        })
    }

    /// (b, c, h, w) -> (b, c, h, w).
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.follow(Chain::on(x)?)?.end()
    }

    /// The same as a part of a chain.
    pub fn follow(&self, x: Chain) -> Result<Chain> {
        x.group_norm(&self.weight, &self.bias, self.spec)
    }
}

/// Normalisation of the last dimension.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Reads `weight` and `bias`.
    pub fn load(weights: &Weights, width: usize, eps: f64) -> Loaded<Self> {
        Ok(Self {
            weight: weights.get(width, "weight")?,
            bias: weights.get(width, "bias")?,
            eps,
        })
    }

    /// From tensors at hand, both (width).
    pub fn new(weight: Tensor, bias: Tensor, eps: f64) -> Self {
        Self { weight, bias, eps }
    }

    /// (.., width) -> (.., width).
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.follow(Chain::on(x)?)?.end()
    }

    /// The same as a part of a chain.
    pub fn follow(&self, x: Chain) -> Result<Chain> {
        x.layer_norm(&self.weight, &self.bias, self.eps)
    }
}
