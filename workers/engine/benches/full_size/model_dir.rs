//! A model directory with the shape of Stable Diffusion v1 and random weights.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::networks;
use crate::tensors::Tensors;

/// A network: directory, stem of its weight file, published number of parameters (vico-spec §1.1; the VAE's is encoder,
/// decoder and the two 1×1 convolutions between them), tensors and configuration.
struct Network {
    dir: &'static str,
    stem: &'static str,
    published: usize,
    tensors: fn() -> Tensors,
    config: fn() -> Value,
}

const NETWORKS: [Network; 3] = [
    Network {
        dir: "text_encoder",
        stem: "model",
        published: 123_060_480,
        tensors: networks::text_encoder,
        config: text_encoder_config,
    },
    Network {
        dir: "vae",
        stem: "diffusion_pytorch_model",
        published: 34_163_592 + 49_490_179 + 72 + 20,
        tensors: networks::vae,
        config: vae_config,
    },
    Network {
        dir: "unet",
        stem: "diffusion_pytorch_model",
        published: 859_520_964,
        tensors: networks::unet,
        config: unet_config,
    },
];

/// Writes what is not there yet; returns each network's number of parameters.
///
/// # Errors
/// A number is not the published one, or a file cannot be written.
pub(crate) fn write(dir: &Path) -> anyhow::Result<Vec<(&'static str, usize)>> {
    copy_tokenizer(&dir.join("tokenizer"))?;
    write_json(&dir.join("scheduler/scheduler_config.json"), &scheduler_config())?;
    NETWORKS.iter().map(|network| network.write(dir)).collect()
}

impl Network {
    fn write(&self, dir: &Path) -> anyhow::Result<(&'static str, usize)> {
        let (tensors, dir) = ((self.tensors)(), dir.join(self.dir));
        let parameters = tensors.parameters();
        ensure!(
            parameters == self.published,
            "{} has {parameters} parameters, published are {}",
            self.dir,
            self.published
        );
        write_json(&dir.join("config.json"), &(self.config)())?;
        let path = dir.join(format!("{}.safetensors", self.stem));
        if !path.is_file() {
            // Under another name until it is whole, so that a broken-off run leaves nothing to trip over.
            let partial = path.with_extension("partial");
            tensors
                .write(&partial)
                .with_context(|| partial.display().to_string())?;
            fs::rename(&partial, &path)?;
        }
        Ok((self.dir, parameters))
    }
}

/// The tokenizer of the small reference model is the published one.
fn copy_tokenizer(to: &Path) -> anyhow::Result<()> {
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/tiny-sd/tokenizer");
    fs::create_dir_all(to)?;
    for name in ["vocab.json", "merges.txt"] {
        fs::copy(from.join(name), to.join(name)).with_context(|| from.join(name).display().to_string())?;
    }
    Ok(())
}

fn write_json(path: &Path, value: &Value) -> anyhow::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(path, serde_json::to_vec_pretty(value)?).with_context(|| path.display().to_string())
}

fn scheduler_config() -> Value {
    json!({
        "_class_name": "PNDMScheduler",
        "beta_start": 0.000_85,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
        "prediction_type": "epsilon",
        "set_alpha_to_one": false,
        "skip_prk_steps": true,
        "steps_offset": 1,
        "clip_sample": false,
        "trained_betas": null
    })
}

fn text_encoder_config() -> Value {
    json!({
        "vocab_size": 49408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 77,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5
    })
}

fn vae_config() -> Value {
    json!({
        "_class_name": "AutoencoderKL",
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 4,
        "block_out_channels": [128, 256, 512, 512],
        "layers_per_block": 2,
        "norm_num_groups": 32,
        "act_fn": "silu",
        "sample_size": 512,
        "down_block_types": vec!["DownEncoderBlock2D"; 4],
        "up_block_types": vec!["UpDecoderBlock2D"; 4]
    })
}

fn unet_config() -> Value {
    let (down, up) = ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D");
    json!({
        "_class_name": "UNet2DConditionModel",
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": [320, 640, 1280, 1280],
        "layers_per_block": 2,
        "attention_head_dim": 8,
        "cross_attention_dim": 768,
        "norm_num_groups": 32,
        "norm_eps": 1e-5,
        "act_fn": "silu",
        "center_input_sample": false,
        "downsample_padding": 1,
        "flip_sin_to_cos": true,
        "freq_shift": 0,
        "mid_block_scale_factor": 1,
        "sample_size": 64,
        "down_block_types": [down, down, down, "DownBlock2D"],
        "up_block_types": ["UpBlock2D", up, up, up]
    })
}
