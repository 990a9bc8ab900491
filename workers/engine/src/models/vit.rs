//! DINO's vision transformer, whose class token is the DINO-I feature.

use candle_core::{Result, Tensor};
use serde::Deserialize;

use super::Loaded;
use super::encoder::{Activation, Encoder, EncoderConfig, VIT_NAMES};
use super::layers::{Conv2d, Conv2dSize, LayerNorm};
use super::patches::Patches;
use super::settings::check_positive;
use crate::kernels::Conv2dGeometry;
use crate::weights::{Error, Weights};

/// `config.json` of a `ViTModel` such as `facebook/dino-vits16`; the `vision_config` of a `CLIPModel` has the same keys.
#[derive(Debug, Clone, Deserialize)]
pub struct VitConfig {
    /// Width of the token stream.
    pub hidden_size: usize,
    /// Width inside the feed-forward part.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Side of the training picture, in pixels.
    pub image_size: usize,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Nonlinearity.
    pub hidden_act: Activation,
    /// Epsilon of every LayerNorm.
    pub layer_norm_eps: f64,
}

impl VitConfig {
    pub(super) fn encoder(&self) -> EncoderConfig {
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

/// A vision transformer with a class token.
#[derive(Debug)]
pub struct Vit {
    width: usize,
    patch_size: usize,
    patches: Patches,
    encoder: Encoder,
    norm: LayerNorm,
}

impl Vit {
    /// Reads the transformer; the pooler of `ViTModel` is no part of DINO (its weights are random) and is left out.
    pub fn load(config: &VitConfig, weights: &Weights) -> Loaded<Self> {
        weights.ignore(&["pooler.dense.weight", "pooler.dense.bias"]);
        let (width, embeddings) = (config.hidden_size, weights.pp("embeddings"));
        let side = patches_per_side(config.image_size, config.patch_size, weights)?;
        let patches = Patches {
            projection: Conv2d::load(
                &embeddings.pp("patch_embeddings.projection"),
                patch_projection(width, config.patch_size),
            )?,
            class: embeddings.get((1, 1, width), "cls_token")?.squeeze(0)?,
            positions: embeddings
                .get((1, 1 + side * side, width), "position_embeddings")?
                .squeeze(0)?,
            side,
        };
        let encoder = Encoder::load(&config.encoder(), weights, &VIT_NAMES)?;
        let norm = LayerNorm::load(&weights.pp("layernorm"), width, config.layer_norm_eps)?;
        Ok(Self {
            width,
            patch_size: config.patch_size,
            patches,
            encoder,
            norm,
        })
    }

    /// The same network, faster and without a backward pass: see [`super::layers::Linear::packed`].
    pub fn packed(mut self) -> Result<Self> {
        self.encoder = self.encoder.packed()?;
        Ok(self)
    }

    /// Width of the feature.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Side of a patch, in pixels.
    pub fn patch_size(&self) -> usize {
        self.patch_size
    }

    /// The class token after the final LayerNorm: (b, 3, h, w) -> (b, width).
    ///
    /// Sizes other than the training size resize the position table as `facebookresearch/dino` does.
    pub fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        self.norm
            .forward(&self.encoder.forward_first(&self.patches.forward(pixels)?)?)
    }
}

/// The convolution that turns a patch into a token.
pub(super) fn patch_projection(width: usize, patch: usize) -> Conv2dSize {
    Conv2dSize {
        inputs: 3,
        outputs: width,
        kernel: patch,
        geometry: Conv2dGeometry {
            stride: patch,
            padding: 0,
        },
    }
}

/// Whole patches along a side, at least one.
pub(super) fn patches_per_side(image: usize, patch: usize, weights: &Weights) -> Loaded<usize> {
    let side = check_positive("image_size", image)
        .and_then(|()| check_positive("patch_size", patch))
        .and_then(|()| match image / patch {
            0 => Err(format!("patch_size {patch} does not fit image_size {image}")),
            side => Ok(side),
        });
    side.map_err(|reason| Error::Config {
        path: weights.origin().into(),
        reason,
    })
}
