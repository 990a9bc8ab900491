//! Target and reference images as one batch through the frozen U-Net (vico-spec §2.2, §2.5): rows [targets ‖ references],
//! split only where the image cross-attention stands. After its last site the references leave the batch.

use candle_core::{D, Result as TensorResult, Tensor};

use super::ica::ImageAttention;
use super::otsu::Masks;
use super::regulariser::regulariser;
use crate::kernels::Mask;
use crate::models::unet::{ColumnRequest, Flow, Site, SiteHook};

/// Where the two interesting tokens of a caption stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The placeholder; the end of text in a prompt without placeholder (vico-spec §7).
    pub placeholder: usize,
    /// The first end of text.
    pub end_of_text: usize,
}

/// What happened at one image cross-attention site.
#[derive(Clone, Debug)]
pub struct SiteRecord {
    /// The site's index.
    pub site: usize,
    /// The masks from the reference images' placeholder maps.
    pub masks: Masks,
    /// The regulariser per sample, (b), before its weight.
    pub regulariser: Tensor,
}

/// The hook of a training pass.
pub struct Branches<'a> {
    image_attention: &'a ImageAttention,
    columns: &'a [Columns],
    use_mask: bool,
    records: Vec<SiteRecord>,
}

impl<'a> Branches<'a> {
    /// A hook for a U-Net batch of twice `columns.len()` rows. Without `use_mask` every reference token may be looked at.
    pub fn new(image_attention: &'a ImageAttention, columns: &'a [Columns], use_mask: bool) -> Self {
        Self {
            image_attention,
            columns,
            use_mask,
            records: Vec::new(),
        }
    }

    /// What happened, by site in the order of the forward pass.
    pub fn into_records(self) -> Vec<SiteRecord> {
        self.records
    }
}

impl SiteHook for Branches<'_> {
    fn columns(&self, site: &Site) -> Option<ColumnRequest> {
        self.image_attention.block(site)?;
        let samples = self.columns.len();
        let columns = self
            .columns
            .iter()
            .map(|columns| vec![columns.placeholder, columns.end_of_text])
            .collect();
        Some(ColumnRequest {
            rows: samples..2 * samples,
            columns,
        })
    }

    fn after_block(&mut self, site: &Site, tokens: Tensor, maps: Option<Tensor>) -> TensorResult<Flow> {
        let (Some(block), Some(maps)) = (self.image_attention.block(site), maps) else {
            return Ok(Flow::Continue(tokens));
        };
        let samples = self.columns.len();
        let target = tokens.narrow(0, 0, samples)?; // (b, n, width)
        let reference = tokens.narrow(0, samples, samples)?; // (b, n, width)
        let placeholder = maps.narrow(D::Minus1, 0, 1)?.squeeze(D::Minus1)?; // (b, n)
        let end_of_text = maps.narrow(D::Minus1, 1, 1)?.squeeze(D::Minus1)?; // (b, n)
        let masks = Masks::of(&placeholder)?;
        let mask = if self.use_mask {
            Mask::Keys(&masks.keys)
        } else {
            Mask::None
        };
        let target = block.forward(&target, &block.key_values(&reference)?, mask)?;
        let regulariser = regulariser(&placeholder, &end_of_text)?;
        self.records.push(SiteRecord {
            site: site.index,
            masks,
            regulariser,
        });
        if self.image_attention.is_last(site) {
            return Ok(Flow::Continue(target)); // nothing looks at the references any more
        }
        Ok(Flow::Continue(Tensor::cat(&[target, reference], 0)?))
    }
}
