//! The image cross-attention module (vico-spec §2.3): a complete transformer block whose cross-attention looks at the
//! reference branch's tokens.

use std::collections::BTreeMap;

use candle_core::{Result as TensorResult, Tensor};

use super::parameters::{self, ParameterSpec};
use crate::kernels::{self, Mask};
use crate::models::unet::Site;

/// PyTorch's default for LayerNorm.
const NORM_EPS: f64 = 1e-5;

/// One block: self-attention, cross-attention to the reference, GEGLU feed-forward, each with LayerNorm before and a
/// residual around. No gate, no norm on the reference tokens.
#[derive(Clone, Debug)]
pub struct IcaBlock {
    heads: usize,
    norm1: Norm,
    attn1: Attention,
    norm2: Norm,
    attn2: Attention,
    norm3: Norm,
    ff_in: Affine,
    ff_out: Affine,
}

/// Keys and values of a block's cross-attention, both (b, m, width).
#[derive(Clone, Debug)]
pub struct KeyValues {
    /// What the target's queries are compared with.
    pub keys: Tensor,
    /// What is mixed by the comparison.
    pub values: Tensor,
}

impl KeyValues {
    /// The same keys and values for each of `rows` images; `self` must hold those of one.
    ///
    /// # Errors
    /// It holds more than one.
    pub fn repeat(&self, rows: usize) -> TensorResult<Self> {
        let (_, tokens, width) = self.keys.dims3()?;
        let spread = |tensor: &Tensor| tensor.broadcast_as((rows, tokens, width))?.contiguous();
        Ok(Self {
            keys: spread(&self.keys)?,
            values: spread(&self.values)?,
        })
    }
}

impl IcaBlock {
    /// Builds the block from its 20 tensors, named as in [`parameters`].
    ///
    /// # Panics
    /// One of the 20 is absent; `get` is asked for each exactly once.
    fn new(heads: usize, mut tensors: BTreeMap<&str, Tensor>) -> Self {
        let mut take = |name: &str| {
            tensors
                .remove(name)
                .expect("`get` was called for every parameter")
        };
        Self {
            heads,
            norm1: Norm::new("norm1", &mut take),
            attn1: Attention::new("attn1", &mut take),
            norm2: Norm::new("norm2", &mut take),
            attn2: Attention::new("attn2", &mut take),
            norm3: Norm::new("norm3", &mut take),
            ff_in: Affine::new("ff.net.0.proj", &mut take),
            ff_out: Affine::new("ff.net.2", &mut take),
        }
    }

    /// Keys and values of the reference tokens (b, m, width).
    ///
    /// # Errors
    /// The width is wrong.
    pub fn key_values(&self, reference: &Tensor) -> TensorResult<KeyValues> {
        self.attn2.key_values(reference)
    }

    /// The block on the target's tokens (b, n, width). `mask` says which reference tokens may be looked at.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn forward(&self, tokens: &Tensor, reference: &KeyValues, mask: Mask<'_>) -> TensorResult<Tensor> {
        let normed = self.norm1.forward(tokens)?;
        let itself = self.attn1.key_values(&normed)?;
        let tokens = kernels::add(
            tokens,
            &self.attn1.forward(&normed, &itself, self.heads, Mask::None)?,
        )?;
        let normed = self.norm2.forward(&tokens)?;
        let tokens = kernels::add(
            &tokens,
            &self.attn2.forward(&normed, reference, self.heads, mask)?,
        )?;
        let hidden = kernels::geglu(&self.ff_in.forward(&self.norm3.forward(&tokens)?)?)?; // (b, n, 4·width)
        kernels::add(&tokens, &self.ff_out.forward(&hidden)?)
    }
}

#[derive(Clone, Debug)]
struct Norm(Affine);

impl Norm {
    fn new(name: &str, take: &mut impl FnMut(&str) -> Tensor) -> Self {
        Self(Affine::new(name, take))
    }

    fn forward(&self, tokens: &Tensor) -> TensorResult<Tensor> {
        kernels::layer_norm(tokens, &self.0.weight, &self.0.bias, NORM_EPS)
    }
}

#[derive(Clone, Debug)]
struct Affine {
    weight: Tensor,
    bias: Tensor,
}

impl Affine {
    fn new(name: &str, take: &mut impl FnMut(&str) -> Tensor) -> Self {
        Self {
            weight: take(&format!("{name}.weight")),
            bias: take(&format!("{name}.bias")),
        }
    }

    fn forward(&self, tokens: &Tensor) -> TensorResult<Tensor> {
        kernels::linear(tokens, &self.weight, Some(&self.bias))
    }
}

#[derive(Clone, Debug)]
struct Attention {
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Affine,
}

impl Attention {
    fn new(name: &str, take: &mut impl FnMut(&str) -> Tensor) -> Self {
        Self {
            query: take(&format!("{name}.to_q.weight")),
            key: take(&format!("{name}.to_k.weight")),
            value: take(&format!("{name}.to_v.weight")),
            out: Affine::new(&format!("{name}.to_out.0"), take),
        }
    }

    fn key_values(&self, context: &Tensor) -> TensorResult<KeyValues> {
        let keys = kernels::linear(context, &self.key, None)?;
        Ok(KeyValues {
            keys,
            values: kernels::linear(context, &self.value, None)?,
        })
    }

    fn forward(
        &self,
        tokens: &Tensor,
        context: &KeyValues,
        heads: usize,
        mask: Mask<'_>,
    ) -> TensorResult<Tensor> {
        let queries = kernels::linear(tokens, &self.query, None)?;
        let mixed = kernels::attention(&queries, &context.keys, &context.values, heads, mask)?;
        self.out.forward(&mixed)
    }
}

/// The blocks of all image cross-attention sites of a U-Net.
#[derive(Clone, Debug)]
pub struct ImageAttention {
    blocks: BTreeMap<usize, IcaBlock>,
}

impl ImageAttention {
    /// Builds the blocks for `sites` (all transformer sites of the U-Net), asking `get` for each tensor once.
    ///
    /// # Errors
    /// `get` fails.
    pub fn new(
        sites: &[Site],
        mut get: impl FnMut(&ParameterSpec) -> crate::Result<Tensor>,
    ) -> crate::Result<Self> {
        let mut blocks = BTreeMap::new();
        for site in sites.iter().filter(|site| parameters::is_ica(site)) {
            let mut tensors = BTreeMap::new();
            for spec in parameters::of_site(site) {
                tensors.insert(spec.local, get(&spec)?);
            }
            blocks.insert(site.index, IcaBlock::new(site.heads, tensors));
        }
        Ok(Self { blocks })
    }

    /// The block at `site`, if it has one.
    pub fn block(&self, site: &Site) -> Option<&IcaBlock> {
        self.blocks.get(&site.index)
    }

    /// Whether `site` is the last one with a block; the reference branch is not needed after it.
    pub fn is_last(&self, site: &Site) -> bool {
        self.blocks.keys().next_back() == Some(&site.index)
    }

    /// How many sites have a block (4 in Stable Diffusion v1).
    pub fn site_count(&self) -> usize {
        self.blocks.len()
    }
}
