//! How much an adapter weighs: the trained numbers of Stable Diffusion v1 in f32.

use crate::spec::{LoraSettings, LoraTarget, MethodSpec};

/// Widths of the 16 attention blocks of the U-Net, added up.
const WIDTHS: u64 = 12_480;
/// How many attention blocks there are; each attends to the image itself and to the text.
const BLOCKS: u64 = 16;
/// Width of the text encoder and of a token's embedding.
const TEXT_WIDTH: u64 = 768;
/// The whole U-Net and the whole text encoder.
const UNET: u64 = 859_520_964;
const TEXT_ENCODER: u64 = 123_060_480;
/// ViCo's image cross-attention at four sites.
const IMAGE_ATTENTION: u64 = 51_248_960;

/// Bytes of the adapter that a method makes, roughly: headers are not counted.
pub(super) fn adapter_bytes(method: &MethodSpec) -> u64 {
    let numbers = match method {
        MethodSpec::Vico(_) => IMAGE_ATTENTION + TEXT_WIDTH,
        MethodSpec::TextualInversion(settings) => u64::from(settings.vectors) * TEXT_WIDTH,
        MethodSpec::Dreambooth(settings) => UNET + settings.lr_text_encoder.map_or(0, |_| TEXT_ENCODER),
        // Keys and values of the text cross-attention.
        MethodSpec::CustomDiffusion(_) => 2 * TEXT_WIDTH * WIDTHS + TEXT_WIDTH,
        MethodSpec::Lora(settings) => low_rank(settings),
        MethodSpec::BaseModel(_) => 0,
    };
    4 * numbers
}

/// Two factors per projection: its input's width and its output's width, times the rank.
fn low_rank(settings: &LoraSettings) -> u64 {
    let to_itself = 2 * WIDTHS;
    let per_target = |target: &LoraTarget| match target {
        LoraTarget::Query | LoraTarget::Output => to_itself + 2 * WIDTHS,
        LoraTarget::Key | LoraTarget::Value => to_itself + WIDTHS + BLOCKS * TEXT_WIDTH,
    };
    u64::from(settings.rank) * settings.targets.iter().map(per_target).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{CustomDiffusionSettings, DreamboothSettings, TextualInversionSettings, VicoSettings};

    /// The ViCo paper's table 1, and 797,184, which diffusers reports for rank 4.
    #[test]
    fn the_counts_are_the_published_ones() {
        let bytes = |method| adapter_bytes(&method);
        assert_eq!(bytes(MethodSpec::Vico(VicoSettings::default())), 4 * 51_249_728);
        assert_eq!(
            bytes(MethodSpec::TextualInversion(TextualInversionSettings::default())),
            4 * 768
        );
        assert_eq!(
            bytes(MethodSpec::Dreambooth(DreamboothSettings::default())),
            4 * 982_581_444
        );
        assert_eq!(
            bytes(MethodSpec::CustomDiffusion(CustomDiffusionSettings::default())),
            4 * (19_169_280 + 768)
        );
        assert_eq!(bytes(MethodSpec::Lora(LoraSettings::default())), 4 * 797_184);
    }
}
