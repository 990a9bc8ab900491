//! The U-Net's configuration.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::models::settings::{Settings, check_blocks, check_divides, check_positive};
use crate::weights::{Error, read_valid_config};

const DOWN_ATTENTION: &str = "CrossAttnDownBlock2D";
const UP_ATTENTION: &str = "CrossAttnUpBlock2D";

/// Keys that describe a file or training, not the computation.
const IRRELEVANT: [&str; 4] = [
    "sample_size",
    "addition_embed_type_num_heads",
    "upcast_attention",
    "dropout",
];

/// Keys this U-Net has one answer to.
fn required() -> [(&'static str, Value); 13] {
    [
        ("act_fn", json!("silu")),
        ("attention_type", json!("default")),
        ("center_input_sample", json!(false)),
        ("conv_in_kernel", json!(3)),
        ("conv_out_kernel", json!(3)),
        ("downsample_padding", json!(1)),
        ("mid_block_scale_factor", json!(1)),
        ("mid_block_type", json!("UNetMidBlock2DCrossAttn")),
        ("resnet_out_scale_factor", json!(1)),
        ("resnet_time_scale_shift", json!("default")),
        ("time_embedding_type", json!("positional")),
        ("transformer_layers_per_block", json!(1)),
        ("use_linear_projection", json!(false)),
    ]
}

/// `config.json` of a diffusers `UNet2DConditionModel`, as far as Stable Diffusion v1 varies it.
///
/// A key set to something this engine does not do is an error that names the key.
#[derive(Debug, Clone, Deserialize)]
pub struct UNetConfig {
    /// Channels of the latent.
    pub in_channels: usize,
    /// Channels of the prediction.
    pub out_channels: usize,
    /// Width of each resolution level, from the finest.
    pub block_out_channels: Vec<usize>,
    /// ResBlocks per level on the way down; one more on the way up.
    pub layers_per_block: usize,
    /// Number of attention *heads* in spite of its name, for all levels or per level.
    pub attention_head_dim: Heads,
    /// Groups of every group normalisation.
    #[serde(default = "default_groups")]
    pub norm_num_groups: usize,
    /// Epsilon of the ResBlocks' group normalisations.
    #[serde(default = "default_eps")]
    pub norm_eps: f64,
    /// Width of the text context.
    pub cross_attention_dim: usize,
    /// Kind of each level on the way down.
    pub down_block_types: Vec<String>,
    /// Kind of each level on the way up.
    pub up_block_types: Vec<String>,
    /// Whether the timestep's sinusoids start with the cosines.
    #[serde(default = "yes")]
    pub flip_sin_to_cos: bool,
    /// Subtracted from the number of frequencies in their exponent.
    #[serde(default)]
    pub freq_shift: f64,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// Attention heads, for all levels alike or one number for each.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Heads {
    /// The same everywhere.
    All(usize),
    /// One number per level, from the finest.
    PerLevel(Vec<usize>),
}

fn default_groups() -> usize {
    32
}

fn default_eps() -> f64 {
    1e-5
}

fn yes() -> bool {
    true
}

impl UNetConfig {
    /// Reads and checks `dir/config.json`.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        read_valid_config(dir, Self::validate)
    }

    /// Attention heads of a level, counted from the finest.
    pub fn heads(&self, level: usize) -> usize {
        match &self.attention_head_dim {
            Heads::All(heads) => *heads,
            Heads::PerLevel(heads) => heads[level],
        }
    }

    /// Number of resolution levels.
    pub fn levels(&self) -> usize {
        self.block_out_channels.len()
    }

    /// Whether a level has transformers, counted from the finest on the way down.
    pub(super) fn down_attends(&self, level: usize) -> bool {
        self.down_block_types[level] == DOWN_ATTENTION
    }

    /// Whether a block has transformers, counted on the way up from the coarsest.
    pub(super) fn up_attends(&self, block: usize) -> bool {
        self.up_block_types[block] == UP_ATTENTION
    }

    fn validate(&self) -> Result<(), String> {
        let settings = Settings {
            irrelevant: &IRRELEVANT,
            required: &required(),
        };
        settings.check(&self.rest)?;
        let widths = &self.block_out_channels;
        check_blocks(
            widths,
            "down_block_types",
            &self.down_block_types,
            &[DOWN_ATTENTION, "DownBlock2D"],
        )?;
        check_blocks(
            widths,
            "up_block_types",
            &self.up_block_types,
            &[UP_ATTENTION, "UpBlock2D"],
        )?;
        if let Heads::PerLevel(heads) = &self.attention_head_dim
            && heads.len() != self.levels()
        {
            return Err(format!(
                "`attention_head_dim` has {} entries for {} levels",
                heads.len(),
                self.levels()
            ));
        }
        for (level, width) in widths.iter().copied().enumerate() {
            check_divides("norm_num_groups", self.norm_num_groups, width)?;
            check_divides("attention_head_dim", self.heads(level), width)?;
        }
        check_divides("the two halves of the timestep embedding", 2, widths[0])?;
        check_positive("layers_per_block", self.layers_per_block)?;
        check_positive("in_channels", self.in_channels)?;
        check_positive("out_channels", self.out_channels)?;
        check_positive("cross_attention_dim", self.cross_attention_dim)
    }
}
