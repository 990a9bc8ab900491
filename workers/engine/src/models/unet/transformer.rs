//! The spatial transformer: one frozen block over the pixels of a map, between two 1x1 convolutions.

use candle_core::{Result, Tensor};

use super::hook::{ColumnRequest, Flow};
use super::walk::Walk;
use super::{Checkpointing, Site, UNetConfig};
use crate::kernels::{Chain, GroupNormSpec, Mask, attention, attention_bf16, attention_columns, checkpoint};
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
        let (_, _, h, w) = walk.x.dims4()?;
        let map = self.proj_in.follow(self.norm.follow(Chain::on(&walk.x)?)?)?;
        let tokens = map.into_tokens()?.end()?; // (b, h·w, width)
        let request = walk.hook.columns(&self.site);
        let (tokens, maps) = self.through_block(tokens, walk, request.as_ref())?;
        let Flow::Continue(tokens) = walk.hook.after_block(&self.site, tokens, maps)? else {
            return Ok(false);
        };
        walk.keep_rows(tokens.dim(0)?)?;
        let map = Chain::on(&tokens)?.into_map((h, w))?;
        walk.x = Chain::on(&walk.x)?.plus(self.proj_out.follow(map)?)?;
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
        if request.is_none() && checkpointing == Checkpointing::All {
            return Ok((self.checkpointed(tokens, context)?, None));
        }
        let (tokens, maps) = self.block.attend(&tokens, context, request)?;
        let tokens = self.block.feed_forward.forward(&tokens, checkpointing)?;
        Ok((tokens, maps))
    }

    /// The block, keeping only its inputs for the backward pass.
    fn checkpointed(&self, tokens: Tensor, (context, detach_first): (&Tensor, bool)) -> Result<Tensor> {
        let block = self.block.clone();
        let run = move |t: &[Tensor]| {
            let (tokens, _) = block.attend(&t[0], (&t[1], detach_first), None)?;
            // It is all computed again as it is.
            block.feed_forward.forward(&tokens, Checkpointing::Off)
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
        let mut normal = self.norm1.follow(Chain::on(tokens)?)?;
        if self.attn1.learns() {
            // Once for all three: what learns keeps what it reads.
            normal = Chain::on(&normal.end()?)?;
        }
        let attended = self.attn1.forward(normal.fork()?, false)?;
        let tokens = Chain::on(tokens)?.plus(attended)?;
        let maps = request
            .map(|request| self.columns(&tokens, context, request))
            .transpose()?;
        let normal = self.norm2.follow(Chain::on(&tokens)?)?;
        let from = [normal, Chain::on(context)?, Chain::on(context)?];
        let attended = self.attn2.forward(from, detach_first)?;
        let tokens = Chain::on(&tokens)?.plus(attended)?;
        Ok((tokens, maps))
    }

    /// The probabilities of the requested columns of the text cross-attention (rows, n, columns).
    fn columns(&self, tokens: &Tensor, context: &Tensor, request: &ColumnRequest) -> Result<Tensor> {
        let (first, count) = (request.rows.start, request.rows.len());
        let tokens = Chain::on(&tokens.narrow(0, first, count)?)?;
        let attention = &self.attn2;
        let q = attention.q.follow(self.norm2.follow(tokens)?)?.end()?;
        let k = attention.k.forward(&context.narrow(0, first, count)?)?;
        attention_columns(&q, &k, attention.heads, &request.columns)
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
    fn forward(&self, tokens: &Tensor, checkpointing: Checkpointing) -> Result<Tensor> {
        let gated = |x| self.input.follow(self.norm.follow(x)?)?.geglu();
        let x = Chain::on(tokens)?;
        let hidden = match checkpointing {
            Checkpointing::Off => gated(x)?,
            Checkpointing::FeedForwards | Checkpointing::All => x.again(gated)?,
        };
        Chain::on(tokens)?.plus(self.output.follow(hidden)?)
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

    /// Whether a chain ends at one of the maps at its entrance.
    fn learns(&self) -> bool {
        [&self.q, &self.k, &self.v].into_iter().any(Linear::learns)
    }

    /// From what queries (b, n, width), keys and values (b, m, context width) are made.
    fn forward(&self, [q, k, v]: [Chain; 3], detach_first: bool) -> Result<Chain> {
        let q = self.q.follow(q)?.end()?;
        let (mut k, mut v) = (self.k.follow(k)?.end()?, self.v.follow(v)?.end()?); // (b, m, width)
        if detach_first {
            (k, v) = (without_first(&k)?, without_first(&v)?);
        }
        // A network of bf16 matrices multiplies in bf16.
        let attend = if self.q.is_bf16() {
            attention_bf16
        } else {
            attention
        };
        self.out
            .follow(Chain::on(&attend(&q, &k, &v, self.heads, Mask::None)?)?)
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
