//! What is computed a second time.

use candle_core::{Result, Tensor};

/// Maps of as many pixels are large: the finest of a picture of 512 x 512.
const LARGE: usize = 64 * 64;

/// Which frozen parts keep only their inputs for the backward pass and run a second time there. Values and gradients are
/// the same but for rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checkpointing {
    /// None.
    #[default]
    Off,
    /// Residual blocks and feed-forwards on maps of at least 4096 pixels, which would keep much for the time they take. With
    /// attention it is the other way round.
    LargeMaps,
    /// Everything but attention of which a hook wants text columns.
    All,
}

impl Checkpointing {
    /// Whether a residual block, or a feed-forward, on this map (b, c, h, w) runs twice.
    pub(super) fn covers(self, map: &Tensor) -> Result<bool> {
        let (_, _, height, width) = map.dims4()?;
        Ok(match self {
            Self::Off => false,
            Self::LargeMaps => height * width >= LARGE,
            Self::All => true,
        })
    }

    /// Whether attention does, too.
    pub(super) fn covers_attention(self) -> bool {
        self == Self::All
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn large_maps_are_counted_in_pixels() {
        let covered = |(b, c, h, w): (usize, usize, usize, usize)| {
            let map = Tensor::zeros((b, c, h, w), DType::F32, &Device::Cpu)?;
            Checkpointing::LargeMaps.covers(&map)
        };
        for (size, wanted) in [
            ((1, 1, 64, 64), true),
            ((1, 1, 32, 128), true),
            ((2, 3, 63, 65), false),
        ] {
            assert_eq!(covered(size).ok(), Some(wanted), "{size:?}");
        }
    }
}
