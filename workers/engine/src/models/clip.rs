//! CLIP with both towers: pictures and texts in one space, for CLIP-I and CLIP-T.

use candle_core::{Result, Tensor, bail};
use serde::Deserialize;

use super::Loaded;
use super::clip_text::{ClipText, ClipTextConfig, rows_at};
use super::encoder::{CLIP_NAMES, Encoder};
use super::layers::{Conv2d, LayerNorm, Linear};
use super::patches::Patches;
use super::vit::{VitConfig, patch_projection, patches_per_side};
use crate::weights::Weights;

/// `config.json` of a `CLIPModel` such as `openai/clip-vit-base-patch32`.
#[derive(Debug, Clone, Deserialize)]
pub struct ClipConfig {
    /// The text tower.
    pub text_config: ClipTextConfig,
    /// The vision tower.
    pub vision_config: VitConfig,
    /// Width of the common space.
    pub projection_dim: usize,
}

/// CLIP: two towers and their projections.
#[derive(Debug)]
pub struct Clip {
    width: usize,
    text: ClipText,
    text_projection: Linear,
    vision: VisionTower,
    visual_projection: Linear,
}

#[derive(Debug)]
struct VisionTower {
    /// Side of the picture: CLIP's positions are not made for another.
    side: usize,
    patches: Patches,
    pre_norm: LayerNorm,
    encoder: Encoder,
    post_norm: LayerNorm,
}

impl Clip {
    /// Reads both towers.
    pub fn load(config: &ClipConfig, weights: &Weights) -> Loaded<Self> {
        // The temperature scales every cosine alike, and metrics are raw cosines.
        weights.ignore(&["logit_scale"]);
        let projection =
            |name: &str, width| Linear::load_unbiased(&weights.pp(name), width, config.projection_dim);
        Ok(Self {
            width: config.projection_dim,
            text: ClipText::load(&config.text_config, weights)?,
            text_projection: projection("text_projection", config.text_config.hidden_size)?,
            vision: VisionTower::load(&config.vision_config, &weights.pp("vision_model"))?,
            visual_projection: projection("visual_projection", config.vision_config.hidden_size)?,
        })
    }

    /// The same network with a faster vision tower that has no backward pass: see [`super::layers::Linear::packed`].
    pub fn packed(mut self) -> Result<Self> {
        self.vision.encoder = self.vision.encoder.packed()?;
        Ok(self)
    }

    /// Width of the common space.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Image features, not normalised: (b, 3, h, w) with CLIP's mean and deviation applied -> (b, projection).
    pub fn image_features(&self, pixels: &Tensor) -> Result<Tensor> {
        let seen = self.vision.forward(pixels)?; // (b, width)
        // One by one: a product of a single row is summed in another order than one of several.
        let project = |row| self.visual_projection.forward(&seen.narrow(0, row, 1)?);
        Tensor::cat(&(0..seen.dim(0)?).map(project).collect::<Result<Vec<_>>>()?, 0)
    }

    /// Text features at each text's end token, not normalised: b texts -> (b, projection).
    pub fn text_features(&self, ids: &[Vec<u32>], ends: &[usize]) -> Result<Tensor> {
        let hidden = self.text.forward(ids, &[])?;
        self.text_projection.forward(&rows_at(&hidden, ends)?)
    }
}

impl VisionTower {
    fn load(config: &VitConfig, weights: &Weights) -> Loaded<Self> {
        weights.ignore(&["embeddings.position_ids"]);
        let (width, embeddings) = (config.hidden_size, weights.pp("embeddings"));
        let norm = |name: &str| LayerNorm::load(&weights.pp(name), width, config.layer_norm_eps);
        let side = patches_per_side(config.image_size, config.patch_size, weights)?;
        let projection = patch_projection(width, config.patch_size);
        let patches = Patches {
            projection: Conv2d::load_unbiased(&embeddings.pp("patch_embedding"), projection)?,
            class: embeddings.get(width, "class_embedding")?.unsqueeze(0)?,
            positions: embeddings.get((1 + side * side, width), "position_embedding.weight")?,
            side,
        };
        Ok(Self {
            side: config.image_size,
            patches,
            // The misspelling is the publisher's.
            pre_norm: norm("pre_layrnorm")?,
            encoder: Encoder::load(&config.encoder(), weights, &CLIP_NAMES)?,
            post_norm: norm("post_layernorm")?,
        })
    }

    /// The class token: (b, 3, h, w) -> (b, width).
    fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let (_, _, h, w) = pixels.dims4()?;
        if (h, w) != (self.side, self.side) {
            bail!("clip: picture of {w}x{h}, expected {0}x{0}", self.side);
        }
        let x = self.pre_norm.forward(&self.patches.forward(pixels)?)?;
        self.post_norm.forward(&self.encoder.forward_first(&x)?)
    }
}
