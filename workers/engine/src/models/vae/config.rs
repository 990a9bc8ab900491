//! The VAE's configuration.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::models::settings::{Settings, check_blocks, check_divides, check_positive};
use crate::weights::{Error, read_valid_config};

/// `config.json` of a diffusers `AutoencoderKL`, as far as Stable Diffusion v1 varies it.
///
/// A key set to something this engine does not do is an error that names the key.
#[derive(Debug, Clone, Deserialize)]
pub struct VaeConfig {
    /// Channels of a picture.
    pub in_channels: usize,
    /// Channels of a decoded picture.
    pub out_channels: usize,
    /// Channels of a latent.
    pub latent_channels: usize,
    /// Width of each level, from the finest.
    pub block_out_channels: Vec<usize>,
    /// ResBlocks per level of the encoder; one more in the decoder.
    pub layers_per_block: usize,
    /// Groups of every group normalisation.
    #[serde(default = "default_groups")]
    pub norm_num_groups: usize,
    /// What an unscaled latent is multiplied with before diffusion.
    #[serde(default = "default_scale")]
    pub scaling_factor: f64,
    /// Kind of each level of the encoder.
    pub down_block_types: Vec<String>,
    /// Kind of each level of the decoder.
    pub up_block_types: Vec<String>,
    /// Whether a 1x1 convolution follows the encoder.
    #[serde(default = "yes")]
    pub use_quant_conv: bool,
    /// Whether a 1x1 convolution precedes the decoder.
    #[serde(default = "yes")]
    pub use_post_quant_conv: bool,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

fn default_groups() -> usize {
    32
}

/// Of Stable Diffusion v1, whose own file predates the key.
fn default_scale() -> f64 {
    0.18215
}

fn yes() -> bool {
    true
}

impl VaeConfig {
    /// Reads and checks `dir/config.json`.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        read_valid_config(dir, Self::validate)
    }

    /// Pixels per latent element in each direction: 8 in Stable Diffusion v1.
    pub fn reduction(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }

    fn validate(&self) -> Result<(), String> {
        let settings = Settings {
            irrelevant: &["sample_size", "force_upcast"],
            required: &[
                ("act_fn", json!("silu")),
                ("mid_block_add_attention", json!(true)),
            ],
        };
        settings.check(&self.rest)?;
        if self.rest.get("mid_block_add_attention") == Some(&json!(false)) {
            return Err("`mid_block_add_attention` is false, only true is supported".to_owned());
        }
        check_blocks(
            &self.block_out_channels,
            "down_block_types",
            &self.down_block_types,
            &["DownEncoderBlock2D"],
        )?;
        check_blocks(
            &self.block_out_channels,
            "up_block_types",
            &self.up_block_types,
            &["UpDecoderBlock2D"],
        )?;
        for width in &self.block_out_channels {
            check_divides("norm_num_groups", self.norm_num_groups, *width)?;
        }
        if !(self.scaling_factor.is_finite() && self.scaling_factor > 0.0) {
            return Err(format!("`scaling_factor` is {}", self.scaling_factor));
        }
        check_positive("layers_per_block", self.layers_per_block)?;
        check_positive("in_channels", self.in_channels)?;
        check_positive("out_channels", self.out_channels)?;
        check_positive("latent_channels", self.latent_channels)
    }
}
