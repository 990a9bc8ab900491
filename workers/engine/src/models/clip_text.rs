//! CLIP's text tower: the text encoder of Stable Diffusion, and one half of the CLIP that scores pictures.

use candle_core::{D, DType, Result, Tensor, bail};
use serde::Deserialize;

use super::Loaded;
use super::encoder::{Activation, CLIP_NAMES, Encoder, EncoderConfig};
use super::layers::LayerNorm;
use crate::kernels::Mask;
use crate::weights::Weights;

/// `config.json` of a `CLIPTextModel`, or the `text_config` of a `CLIPModel`.
#[derive(Debug, Clone, Deserialize)]
pub struct ClipTextConfig {
    /// Rows of the token table.
    pub vocab_size: usize,
    /// Width of the token stream.
    pub hidden_size: usize,
    /// Width inside the feed-forward part.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Longest text, in tokens.
    pub max_position_embeddings: usize,
    /// Nonlinearity.
    pub hidden_act: Activation,
    /// Epsilon of every LayerNorm.
    pub layer_norm_eps: f64,
}

impl ClipTextConfig {
    fn encoder(&self) -> EncoderConfig {
        EncoderConfig {
            width: self.hidden_size,
            heads: self.num_attention_heads,
            hidden: self.intermediate_size,
            layers: self.num_hidden_layers,
            eps: self.layer_norm_eps,
            activation: self.hidden_act,
        }
    }
}

/// A vector that takes the place of a token's embedding; gradients reach it.
#[derive(Debug, Clone, Copy)]
pub struct Injection<'a> {
    /// The placeholder's id; may lie beyond the vocabulary.
    pub token: u32,
    /// The learned embedding (1, width).
    pub vector: &'a Tensor,
}

/// The text tower of CLIP.
#[derive(Debug)]
pub struct ClipText {
    tokens: Tensor,
    positions: Tensor,
    encoder: Encoder,
    norm: LayerNorm,
}

impl ClipText {
    /// Reads the tower, with or without the `text_model.` prefix.
    pub fn load(config: &ClipTextConfig, weights: &Weights) -> Loaded<Self> {
        let prefixed = weights.contains("text_model.embeddings.token_embedding.weight");
        let weights = if prefixed {
            weights.pp("text_model")
        } else {
            weights.clone()
        };
        // A buffer 0..77 that older files carry.
        weights.ignore(&["embeddings.position_ids"]);
        let (width, embeddings) = (config.hidden_size, weights.pp("embeddings"));
        let positions = (config.max_position_embeddings, width);
        Ok(Self {
            tokens: embeddings.get((config.vocab_size, width), "token_embedding.weight")?,
            positions: embeddings
                .get(positions, "position_embedding.weight")?
                .to_dtype(DType::F32)?,
            encoder: Encoder::load(&config.encoder(), &weights, &CLIP_NAMES)?,
            norm: LayerNorm::load(&weights.pp("final_layer_norm"), width, config.layer_norm_eps)?,
        })
    }

    /// Rows of the token table: the first id that is no token.
    pub fn vocabulary(&self) -> u32 {
        self.tokens.dims()[0] as u32
    }

    /// Width of the token stream (768 in Stable Diffusion v1).
    pub fn hidden_size(&self) -> usize {
        self.tokens.dims()[1]
    }

    /// The embedding of a token (width), f32: where a placeholder starts from.
    pub fn embedding(&self, token: u32) -> Result<Tensor> {
        self.lookup(&[token])?.squeeze(0)
    }

    /// The last hidden state after the final LayerNorm: b texts of n ids -> (b, n, width).
    ///
    /// Every position that holds an injection's token takes its vector, after the lookup and before positions are
    /// added. Padding is not masked; the mask is causal, as CLIP was trained.
    pub fn forward(&self, ids: &[Vec<u32>], injected: &[Injection<'_>]) -> Result<Tensor> {
        let (b, n) = (ids.len(), self.length(ids)?);
        // An injected id need not be in the table: any row will do, since it is replaced.
        let known = |id: &u32| {
            if injected.iter().any(|i| i.token == *id) {
                0
            } else {
                *id
            }
        };
        let rows: Vec<u32> = ids.iter().flatten().map(known).collect();
        let mut tokens = self.lookup(&rows)?.reshape((b, n, self.hidden_size()))?;
        for injection in injected {
            tokens = injection.put(&tokens, ids)?;
        }
        let x = tokens.broadcast_add(&self.positions.narrow(0, 0, n)?)?; // (b, n, width)
        self.norm.forward(&self.encoder.forward(&x, Mask::Causal)?)
    }

    fn length(&self, ids: &[Vec<u32>]) -> Result<usize> {
        let n = ids.first().map_or(0, Vec::len);
        let most = self.positions.dims()[0];
        if n == 0 || n > most || ids.iter().any(|text| text.len() != n) {
            bail!("text encoder: texts must have one length, from 1 to {most} tokens");
        }
        Ok(n)
    }

    /// n ids -> (n, width).
    fn lookup(&self, ids: &[u32]) -> Result<Tensor> {
        let ids = Tensor::new(ids, self.tokens.device())?;
        self.tokens.index_select(&ids, 0)?.to_dtype(DType::F32)
    }
}

impl Injection<'_> {
    /// (b, n, width) with the vector at every position that holds the token; exact, since 1·x + 0·y = x.
    fn put(&self, tokens: &Tensor, ids: &[Vec<u32>]) -> Result<Tensor> {
        let (b, n, width) = tokens.dims3()?;
        if self.vector.dims() != [1, width] {
            bail!(
                "text encoder: injected vector {:?}, expected [1, {width}]",
                self.vector.dims()
            );
        }
        let here: Vec<f32> = ids
            .iter()
            .flatten()
            .map(|id| f32::from(u8::from(*id == self.token)))
            .collect();
        let here = Tensor::from_vec(here, (b, n, 1), tokens.device())?;
        let elsewhere = (1.0 - &here)?;
        tokens.broadcast_mul(&elsewhere)? + here.broadcast_mul(self.vector)?
    }
}

/// The rows of (b, n, width) at one position per text: (b, width).
pub(crate) fn rows_at(hidden: &Tensor, positions: &[usize]) -> Result<Tensor> {
    let (b, n, _) = hidden.dims3()?;
    if positions.len() != b || positions.iter().any(|position| *position >= n) {
        bail!("text encoder: positions {positions:?} for {b} texts of {n} tokens");
    }
    let rows = positions
        .iter()
        .enumerate()
        .map(|(text, position)| hidden.get(text)?.get(*position));
    Tensor::stack(&rows.collect::<Result<Vec<_>>>()?, D::Minus2)
}
