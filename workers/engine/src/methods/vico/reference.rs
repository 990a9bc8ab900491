//! The reference branch in sampling: what the image cross-attention looks at, for one time step (vico-spec §11).
//!
//! It depends on the reference image, the time step and the text only, never on the image being made, so it is computed
//! once per time step for the unconditional and the conditional text and shared by all images of a prompt. The pass ends
//! inside the U-Net after the last site that is looked at. Masked reference tokens would get exactly zero weight, so only
//! the kept ones are turned into keys and values.

use candle_core::{D, Result as TensorResult, Tensor};

use super::ica::{ImageAttention, KeyValues};
use super::otsu::Masks;
use crate::kernels::Mask;
use crate::models::unet::{ColumnRequest, Flow, Site, SiteHook};

/// What one site offers to look at, for each text the branch was run with.
#[derive(Clone, Debug)]
pub struct SiteFeatures {
    /// The site's index.
    pub site: usize,
    /// One mask per text.
    pub masks: Masks,
    /// Keys and values of the kept tokens, one per text, each (1, kept, width).
    pub texts: Vec<KeyValues>,
}

/// The hook that collects the features and stops after the last site.
pub struct ReferencePass<'a> {
    image_attention: &'a ImageAttention,
    placeholder: usize,
    texts: usize,
    use_mask: bool,
    features: Vec<SiteFeatures>,
}

impl<'a> ReferencePass<'a> {
    /// A hook for a batch of the same reference latents under `texts` texts. The masks of all come from token column
    /// `placeholder`, the conditional prompt's (vico-spec §7).
    pub fn new(
        image_attention: &'a ImageAttention,
        placeholder: usize,
        texts: usize,
        use_mask: bool,
    ) -> Self {
        Self {
            image_attention,
            placeholder,
            texts,
            use_mask,
            features: Vec::new(),
        }
    }

    /// The features, by site in the order of the forward pass.
    pub fn into_features(self) -> Vec<SiteFeatures> {
        self.features
    }
}

impl SiteHook for ReferencePass<'_> {
    fn columns(&self, site: &Site) -> Option<ColumnRequest> {
        self.image_attention.block(site)?;
        Some(ColumnRequest {
            rows: 0..self.texts,
            columns: vec![vec![self.placeholder]; self.texts],
        })
    }

    fn after_block(&mut self, site: &Site, tokens: Tensor, maps: Option<Tensor>) -> TensorResult<Flow> {
        let (Some(block), Some(maps)) = (self.image_attention.block(site), maps) else {
            return Ok(Flow::Continue(tokens));
        };
        let masks = Masks::of(&maps.squeeze(D::Minus1)?)?; // from (texts, n)
        let mut texts = Vec::with_capacity(self.texts);
        for (row, kept) in masks.kept.iter().enumerate() {
            let mut reference = tokens.narrow(0, row, 1)?; // (1, n, width)
            if self.use_mask {
                let kept = Tensor::new(kept.as_slice(), tokens.device())?;
                reference = reference.contiguous()?.index_select(&kept, 1)?; // (1, kept, width)
            }
            texts.push(block.key_values(&reference)?);
        }
        self.features.push(SiteFeatures {
            site: site.index,
            masks,
            texts,
        });
        if self.image_attention.is_last(site) {
            Ok(Flow::Stop)
        } else {
            Ok(Flow::Continue(tokens))
        }
    }
}

/// The hook of the pass over the images being made: rows are equal groups, one per text, in the order of the features.
pub struct TargetPass<'a> {
    image_attention: &'a ImageAttention,
    features: &'a [SiteFeatures],
}

impl<'a> TargetPass<'a> {
    /// A hook that lets group number k look at text number k of `features`.
    pub fn new(image_attention: &'a ImageAttention, features: &'a [SiteFeatures]) -> Self {
        Self {
            image_attention,
            features,
        }
    }
}

impl SiteHook for TargetPass<'_> {
    fn columns(&self, _site: &Site) -> Option<ColumnRequest> {
        None
    }

    fn after_block(&mut self, site: &Site, tokens: Tensor, _maps: Option<Tensor>) -> TensorResult<Flow> {
        let Some(block) = self.image_attention.block(site) else {
            return Ok(Flow::Continue(tokens));
        };
        let Some(features) = self.features.iter().find(|features| features.site == site.index) else {
            candle_core::bail!("the reference branch left nothing for site {}", site.index);
        };
        let images = tokens.dim(0)? / features.texts.len();
        let group = |(text, reference): (usize, &KeyValues)| {
            let tokens = tokens.narrow(0, text * images, images)?; // (images, n, width)
            block.forward(&tokens, &reference.repeat(images)?, Mask::None)
        };
        let groups = features
            .texts
            .iter()
            .enumerate()
            .map(group)
            .collect::<TensorResult<Vec<_>>>()?;
        Ok(Flow::Continue(Tensor::cat(&groups, 0)?))
    }
}
