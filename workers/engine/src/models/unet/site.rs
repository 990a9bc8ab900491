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

/// A transformer's place and names, whatever its sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    part: Part,
    level: usize,
    path: String,
    compvis: String,
}

/// Diffusers' and the original code's names of the 16 transformers of Stable Diffusion v1, in construction order.
pub fn sd_v1_names() -> Vec<(String, String)> {
    let places = places(4, 2, &|level| level < 3, &|block| block > 0);
    places
        .into_iter()
        .map(|place| (place.path, place.compvis))
        .collect()
}

/// Every place of a U-Net of `levels` with `layers` each, in construction order. `down` says which levels have transformers,
/// from the finest, `up` which blocks, from the coarsest.
fn places(
    levels: usize,
    layers: usize,
    down: &dyn Fn(usize) -> bool,
    up: &dyn Fn(usize) -> bool,
) -> Vec<Place> {
    let mut places = Vec::new();
    let mut add = |part, level, path, compvis| {
        places.push(Place {
            part,
            level,
            path,
            compvis,
        });
    };
    for level in (0..levels).filter(|level| down(*level)) {
        for layer in 0..layers {
            // Each level numbers its layers and then its downsampler; 0 is the input convolution.
            let compvis = format!("input_blocks.{}.1", 1 + level * (layers + 1) + layer);
            let path = format!("down_blocks.{level}.attentions.{layer}");
            add(Part::Encoder, level, path, compvis);
        }
    }
    let middle = ("mid_block.attentions.0".to_owned(), "middle_block.1".to_owned());
    add(Part::Middle, levels - 1, middle.0, middle.1);
    for block in (0..levels).filter(|block| up(*block)) {
        for layer in 0..=layers {
            let compvis = format!("output_blocks.{}.1", block * (layers + 1) + layer);
            let path = format!("up_blocks.{block}.attentions.{layer}");
            add(Part::Decoder, levels - 1 - block, path, compvis);
        }
    }
    places
}

impl UNetConfig {
    /// Every transformer, in construction order.
    pub fn sites(&self) -> Vec<Site> {
        let (down, up) = (|level| self.down_attends(level), |block| self.up_attends(block));
        let places = places(self.levels(), self.layers_per_block, &down, &up);
        let numbered = places.into_iter().enumerate();
        numbered
            .map(|(index, place)| Site {
                index,
                part: place.part,
                width: self.block_out_channels[place.level],
                heads: self.heads(place.level),
                path: place.path,
                compvis: place.compvis,
            })
            .collect()
    }
}
