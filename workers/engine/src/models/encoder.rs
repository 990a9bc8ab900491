//! The pre-norm transformer encoder that CLIP and DINO share.

use candle_core::{Result, Tensor};
use serde::Deserialize;

use super::Loaded;
use super::layers::{LayerNorm, Linear};
use crate::kernels::{self, Chain, Mask};
use crate::weights::{Error, Weights};

/// The sizes of an encoder.
#[derive(Debug, Clone, Copy)]
pub struct EncoderConfig {
    /// Width of the token stream.
    pub width: usize,
    /// Attention heads, a divisor of the width.
    pub heads: usize,
    /// Width inside the feed-forward part.
    pub hidden: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Epsilon of every LayerNorm.
    pub eps: f64,
    /// Nonlinearity of the feed-forward part.
    pub activation: Activation,
}

/// `hidden_act` in a `config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x · sigmoid(1.702 x)`: OpenAI's CLIP.
    QuickGelu,
    /// The exact (erf) GELU: DINO.
    Gelu,
}

/// Where a publisher keeps the tensors of a block.
#[derive(Debug)]
pub struct BlockNames {
    blocks: &'static str,
    norm1: &'static str,
    query: &'static str,
    key: &'static str,
    value: &'static str,
    out: &'static str,
    norm2: &'static str,
    fc1: &'static str,
    fc2: &'static str,
}

/// `transformers` names of CLIP, text and vision.
pub const CLIP_NAMES: BlockNames = BlockNames {
    blocks: "encoder.layers",
    norm1: "layer_norm1",
    query: "self_attn.q_proj",
    key: "self_attn.k_proj",
    value: "self_attn.v_proj",
    out: "self_attn.out_proj",
    norm2: "layer_norm2",
    fc1: "mlp.fc1",
    fc2: "mlp.fc2",
};

/// `transformers` names of ViT, as `facebook/dino-vits16` has them.
pub const VIT_NAMES: BlockNames = BlockNames {
    blocks: "encoder.layer",
    norm1: "layernorm_before",
    query: "attention.attention.query",
    key: "attention.attention.key",
    value: "attention.attention.value",
    out: "attention.output.dense",
    norm2: "layernorm_after",
    fc1: "intermediate.dense",
    fc2: "output.dense",
};

/// A stack of blocks `x + attention(norm(x))`, `x + feed_forward(norm(x))`, without a norm behind it.
#[derive(Debug)]
pub struct Encoder {
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    norm1: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    heads: usize,
    activation: Activation,
}

impl Encoder {
    /// Reads `config.layers` blocks under `names`.
    pub fn load(config: &EncoderConfig, weights: &Weights, names: &BlockNames) -> Loaded<Self> {
        config.check(weights)?;
        let blocks = weights.pp(names.blocks);
        let load = |i| Block::load(config, &blocks.pp(i), names);
        Ok(Self {
            blocks: (0..config.layers).map(load).collect::<Loaded<_>>()?,
        })
    }

    /// The same encoder, faster on a CPU, and without a backward pass: see [`Linear::packed`].
    pub fn packed(self) -> Result<Self> {
        let blocks = self.blocks.into_iter().map(Block::packed);
        Ok(Self {
            blocks: blocks.collect::<Result<_>>()?,
        })
    }

    /// (b, n, width) -> (b, n, width).
    pub fn forward(&self, x: &Tensor, mask: Mask<'_>) -> Result<Tensor> {
        through(&self.blocks, x, mask)
    }

    /// What becomes of the first token, with nothing masked: (b, n, width) -> (b, width). In the last block the others are
    /// looked at, and go no further. The bits are those of [`Self::forward`] where the encoder is packed.
    pub fn forward_first(&self, x: &Tensor) -> Result<Tensor> {
        let first = |x: &Tensor| x.narrow(1, 0, 1)?.contiguous(); // (b, 1, width)
        let out = match self.blocks.split_last() {
            Some((last, blocks)) => {
                let x = through(blocks, x, Mask::None)?;
                let normal = last.norm1.forward(&x)?;
                last.rest(&first(&x)?, [&first(&normal)?, &normal], Mask::None)?
            }
            None => first(x)?,
        };
        out.squeeze(1)
    }
}

fn through(blocks: &[Block], x: &Tensor, mask: Mask<'_>) -> Result<Tensor> {
    let mut x = x.clone();
    for block in blocks {
        x = block.forward(&x, mask)?;
    }
    Ok(x)
}

impl EncoderConfig {
    fn check(&self, weights: &Weights) -> Loaded<()> {
        if self.heads > 0 && self.width.is_multiple_of(self.heads) {
            return Ok(());
        }
        let reason = format!(
            "{} attention heads do not divide a width of {}",
            self.heads, self.width
        );
        Err(Error::Config {
            path: weights.origin().into(),
            reason,
        })
    }
}

impl Block {
    fn load(config: &EncoderConfig, weights: &Weights, names: &BlockNames) -> Loaded<Self> {
        let (width, hidden) = (config.width, config.hidden);
        let square = |name| Linear::load(&weights.pp(name), width, width);
        let norm = |name| LayerNorm::load(&weights.pp(name), width, config.eps);
        Ok(Self {
            norm1: norm(names.norm1)?,
            query: square(names.query)?,
            key: square(names.key)?,
            value: square(names.value)?,
            out: square(names.out)?,
            norm2: norm(names.norm2)?,
            fc1: Linear::load(&weights.pp(names.fc1), width, hidden)?,
            fc2: Linear::load(&weights.pp(names.fc2), hidden, width)?,
            heads: config.heads,
            activation: config.activation,
        })
    }

    fn packed(self) -> Result<Self> {
        Ok(Self {
            query: self.query.packed()?,
            key: self.key.packed()?,
            value: self.value.packed()?,
            out: self.out.packed()?,
            fc1: self.fc1.packed()?,
            fc2: self.fc2.packed()?,
            ..self
        })
    }

    fn forward(&self, x: &Tensor, mask: Mask<'_>) -> Result<Tensor> {
        let normal = self.norm1.forward(x)?;
        self.rest(x, [&normal, &normal], mask)
    }

    /// What follows the first normalisation, for the tokens x: of them `queries` are the normalised ones, and `seen` the
    /// normalised tokens that they look at.
    fn rest(&self, x: &Tensor, [queries, seen]: [&Tensor; 2], mask: Mask<'_>) -> Result<Tensor> {
        let q = self.query.forward(queries)?;
        let (k, v) = (self.key.forward(seen)?, self.value.forward(seen)?);
        let attended = kernels::attention(&q, &k, &v, self.heads, mask)?;
        let x = Chain::on(x)?.plus(self.out.follow(Chain::on(&attended)?)?)?;
        let h = self.fc1.follow(self.norm2.follow(Chain::on(&x)?)?)?;
        let h = match self.activation {
            Activation::QuickGelu => h.quick_gelu()?,
            Activation::Gelu => h.gelu_erf()?,
        };
        Chain::on(&x)?.plus(self.fc2.follow(h)?)
    }
}
