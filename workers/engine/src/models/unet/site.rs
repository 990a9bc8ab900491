//! The transformers of a U-Net, numbered.

use super::UNetConfig;

/// Where in the U-Net a site lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// On the way down.
    Encoder,
    /// Between the two.
    Middle,
    /// On the way up.
    Decoder,
}

/// One transformer of the U-Net.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Running index over all transformers in construction order: 0 to 15 in Stable Diffusion v1.
    pub index: usize,
    /// Half of the U-Net.
    pub part: Part,
    /// Width of a token.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Name in diffusers, for example `up_blocks.1.attentions.1`.
    pub path: String,
    /// Name in the original code, for example `output_blocks.4.1`.
    pub compvis: String,
}

impl UNetConfig {
    /// Every transformer, in construction order.
    pub fn sites(&self) -> Vec<Site> {
        let (levels, layers) = (self.levels(), self.layers_per_block);
        let mut sites = Vec::new();
        for level in (0..levels).filter(|level| self.down_attends(*level)) {
            for layer in 0..layers {
                // Each level numbers its layers and then its downsampler; 0 is the input convolution.
                let compvis = format!("input_blocks.{}.1", 1 + level * (layers + 1) + layer);
                let path = format!("down_blocks.{level}.attentions.{layer}");
                sites.push(self.site(Part::Encoder, level, path, compvis));
            }
        }
        let middle = ("mid_block.attentions.0".to_owned(), "middle_block.1".to_owned());
        sites.push(self.site(Part::Middle, levels - 1, middle.0, middle.1));
        for block in (0..levels).filter(|block| self.up_attends(*block)) {
            for layer in 0..=layers {
                let compvis = format!("output_blocks.{}.1", block * (layers + 1) + layer);
                let path = format!("up_blocks.{block}.attentions.{layer}");
                sites.push(self.site(Part::Decoder, levels - 1 - block, path, compvis));
            }
        }
        for (index, site) in sites.iter_mut().enumerate() {
            site.index = index;
        }
        sites
    }

    fn site(&self, part: Part, level: usize, path: String, compvis: String) -> Site {
        let (width, heads) = (self.block_out_channels[level], self.heads(level));
        Site {
            index: 0,
            part,
            width,
            heads,
            path,
            compvis,
        }
    }
}
