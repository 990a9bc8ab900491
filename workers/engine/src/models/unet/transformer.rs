//! The spatial transformer: one frozen block over the pixels of a map, between two 1x1 convolutions.

use candle_core::{Result, Tensor};

use super::hook::{ColumnRequest, Flow};
use super::walk::Walk;
use super::{Site, UNetConfig};
use crate::kernels::{
    GroupNormSpec, Mask, add, attention, attention_bf16, attention_columns, checkpoint, geglu,
};
use crate::models::Loaded;
use crate::models::layers::{Conv2d, Conv2dSize, GroupNorm, LayerNorm, Linear};
use crate::weights::Weights;

/// Epsilon of the transformer's group normalisation; differs from the ResBlocks'.
const GROUP_EPS: f64 = 1e-6;
/// Epsilon of the block's layer normalisations.
const LAYER_EPS: f64 = 1e-5;

/// Normalisation, projection, block, hook, projection and the input added again.
#[derive(Clone)]
pub(super) struct Transformer {
    site: Site,
    norm: GroupNorm,
    proj_in: Conv2d,
    block: Block,
    proj_out: Conv2d,
}

impl Transformer {
    pub(super) fn load(config: &UNetConfig, weights: &Weights, site: Site) -> Loaded<Self> {
        let spec = GroupNormSpec {
            groups: config.norm_num_groups,
            eps: GROUP_EPS,
            silu: false,
        };
        let same = Conv2dSize::same(site.width, site.width, 1);
        Ok(Self {
            norm: GroupNorm::load(&weights.pp("norm"), site.width, spec)?,
            proj_in: Conv2d::load(&weights.pp("proj_in"), same)?,
            block: Block::load(
                &weights.pp("transformer_blocks.0"),
                &site,
                config.cross_attention_dim,
            )?,
            proj_out: Conv2d::load(&weights.pp("proj_out"), same)?,
            site,
        })
    }

    /// Moves the walk over this site; false if the hook stopped.
    pub(super) fn forward(&self, walk: &mut Walk<'_>) -> Result<bool> {
        let (_, width, h, w) = walk.x.dims4()?;
        let map = self.proj_in.forward(&self.norm.forward(&walk.x)?)?;
        let tokens = map.flatten_from(2)?.transpose(1, 2)?.contiguous()?; // (b, h·w, width)
        let request = walk.hook.columns(&self.site);
        let (tokens, maps) = self.through_block(tokens, walk, request.as_ref())?;
        let Flow::Continue(tokens) = walk.hook.after_block(&self.site, tokens, maps)? else {
            return Ok(false);
        };
        walk.keep_rows(tokens.dim(0)?)?;
        let map = tokens.transpose(1, 2)?.contiguous()?.reshape(((), width, h, w))?;
        walk.x = add(&walk.x, &self.proj_out.forward(&map)?)?;
        Ok(true)
    }

    /// tokens (b, n, width) -> tokens, and the requested text columns.
    fn through_block(
        &self,
        tokens: Tensor,
        walk: &Walk<'_>,
        request: Option<&ColumnRequest>,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let checkpointing = walk.settings.checkpointing;
        let context = (&walk.context, walk.settings.detach_first_token);
        if request.is_none() && checkpointing.covers_attention() {
            return Ok((self.checkpointed(tokens, context)?, None));
        }
        let (tokens, maps) = self.block.attend(&tokens, context, request)?;
        let feed_forward = &self.block.feed_forward;
        let tokens = if checkpointing.covers(&walk.x)? {
            feed_forward.forward_checkpointed(tokens)?
        } else {
            feed_forward.forward(&tokens)?
        };
        Ok((tokens, maps))
    }

    /// The block, keeping only its inputs for the backward pass.
    fn checkpointed(&self, tokens: Tensor, (context, detach_first): (&Tensor, bool)) -> Result<Tensor> {
        let block = self.block.clone();
        let run = move |t: &[Tensor]| {
            let (tokens, _) = block.attend(&t[0], (&t[1], detach_first), None)?;
            block.feed_forward.forward(&tokens)
        };
        checkpoint(run, &[tokens, context.clone()])
    }
}

/// Self-attention, text cross-attention and gated feed-forward, each normalised first and added to its input.
#[derive(Clone)]
struct Block {
    norm1: LayerNorm,
    attn1: Attention,
    norm2: LayerNorm,
    attn2: Attention,
    feed_forward: FeedForward,
}

impl Block {
    fn load(weights: &Weights, site: &Site, context: usize) -> Loaded<Self> {
        let width = site.width;
        let norm = |name: &str| LayerNorm::load(&weights.pp(name), width, LAYER_EPS);
        Ok(Self {
            norm1: norm("norm1")?,
            attn1: Attention::load(&weights.pp("attn1"), site, width)?,
            norm2: norm("norm2")?,
            attn2: Attention::load(&weights.pp("attn2"), site, context)?,
            feed_forward: FeedForward {
                norm: norm("norm3")?,
                input: Linear::load(&weights.pp("ff.net.0.proj"), width, 8 * width)?,
                output: Linear::load(&weights.pp("ff.net.2"), 4 * width, width)?,
            },
        })
    }

    /// Both attentions: tokens (b, n, width), context (b, m, context width) and whether its first token is cut from the
    /// gradient -> tokens, and the requested text columns.
    fn attend(
        &self,
        tokens: &Tensor,
        (context, detach_first): (&Tensor, bool),
        request: Option<&ColumnRequest>,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let normal = self.norm1.forward(tokens)?;
        let tokens = add(tokens, &self.attn1.forward(&normal, &normal, false)?)?;
        let normal = self.norm2.forward(&tokens)?;
        let maps = request
            .map(|request| self.attn2.columns(&normal, context, request))
            .transpose()?;
        let tokens = add(&tokens, &self.attn2.forward(&normal, context, detach_first)?)?;
        Ok((tokens, maps))
    }
}

/// The gated feed-forward, with the normalisation before it and its input added.
#[derive(Clone)]
struct FeedForward {
    norm: LayerNorm,
    input: Linear,
    output: Linear,
}

impl FeedForward {
    /// (b, n, width) -> (b, n, width).
    fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let gated = geglu(&self.input.forward(&self.norm.forward(tokens)?)?)?;
        add(tokens, &self.output.forward(&gated)?)
    }

    /// The same, keeping only the input for the backward pass.
    fn forward_checkpointed(&self, tokens: Tensor) -> Result<Tensor> {
        let layer = self.clone();
        checkpoint(move |t| layer.forward(&t[0]), &[tokens])
    }
}

#[derive(Clone)]
struct Attention {
    heads: usize,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
}

impl Attention {
    /// `context` is the width that keys and values are made from.
    fn load(weights: &Weights, site: &Site, context: usize) -> Loaded<Self> {
        let width = site.width;
        Ok(Self {
            heads: site.heads,
            q: Linear::load_unbiased(&weights.pp("to_q"), width, width)?,
            k: Linear::load_unbiased(&weights.pp("to_k"), context, width)?,
            v: Linear::load_unbiased(&weights.pp("to_v"), context, width)?,
            out: Linear::load(&weights.pp("to_out.0"), width, width)?,
        })
    }

    fn forward(&self, x: &Tensor, context: &Tensor, detach_first: bool) -> Result<Tensor> {
        let q = self.q.forward(x)?;
        let (mut k, mut v) = (self.k.forward(context)?, self.v.forward(context)?); // (b, m, width)
        if detach_first {
            (k, v) = (without_first(&k)?, without_first(&v)?);
        }
        // A network of bf16 matrices multiplies in bf16.
        let attend = if self.q.is_bf16() {
            attention_bf16
        } else {
            attention
        };
        self.out.forward(&attend(&q, &k, &v, self.heads, Mask::None)?)
    }

    /// The probabilities of the requested columns (rows, n, columns).
    fn columns(&self, x: &Tensor, context: &Tensor, request: &ColumnRequest) -> Result<Tensor> {
        let (first, count) = (request.rows.start, request.rows.len());
        let q = self.q.forward(&x.narrow(0, first, count)?)?;
        let k = self.k.forward(&context.narrow(0, first, count)?)?;
        attention_columns(&q, &k, self.heads, &request.columns)
    }
}

/// (b, m, width) with the first token cut from the gradient.
fn without_first(tokens: &Tensor) -> Result<Tensor> {
    let others = tokens.dim(1)? - 1;
    Tensor::cat(
        &[tokens.narrow(1, 0, 1)?.detach(), tokens.narrow(1, 1, others)?],
        1,
    )
}
