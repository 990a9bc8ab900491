//! The untouched network: U-Net, VAE, text encoder, tokenizer and noise schedule.

use std::path::Path;

use candle_core::Device;

use crate::Result;
use crate::diffusion::NoiseSchedule;
use crate::models::clip_text::{ClipText, ClipTextConfig};
use crate::models::unet::{UNet, UNetConfig};
use crate::models::vae::{Vae, VaeConfig};
use crate::tokenizer::ClipTokenizer;
use crate::weights::{Weights, digest, read_config};

/// The networks of a base model, by their diffusers directory.
const NETWORKS: [&str; 3] = ["unet", "vae", "text_encoder"];

/// Stable Diffusion v1 as published, frozen.
pub struct BaseModel {
    /// Predicts the noise in a latent.
    pub unet: UNet,
    /// Pictures to latents and back.
    pub vae: Vae,
    /// Token ids to the U-Net's context.
    pub text: ClipText,
    /// Text to token ids.
    pub tokenizer: ClipTokenizer,
    /// How much noise there is at each time step.
    pub schedule: NoiseSchedule,
    device: Device,
}

impl BaseModel {
    /// Reads a diffusers directory (`unet/`, `vae/`, `text_encoder/`, `tokenizer/`, `scheduler/`).
    ///
    /// `variant` picks files such as `*.fp16.safetensors` for all networks alike. Every tensor a network needs must
    /// be there, and every tensor in the files must be needed.
    pub fn load(dir: &Path, variant: Option<&str>, device: &Device) -> Result<Self> {
        let open = |network: &str| Weights::open(&dir.join(network), variant, device);
        // The small parts first: a wrong directory should not cost the reading of a large file.
        let tokenizer = ClipTokenizer::from_dir(&dir.join("tokenizer"))?;
        let schedule = NoiseSchedule::from_config(&dir.join("scheduler/scheduler_config.json"))?;
        let unet_config = UNetConfig::load(&dir.join("unet"))?;
        let vae_config = VaeConfig::load(&dir.join("vae"))?;
        let text_config: ClipTextConfig = read_config(&dir.join("text_encoder"))?;

        let weights = open("text_encoder")?;
        let text = ClipText::load(&text_config, &weights)?;
        weights.finish()?;
        let weights = open("vae")?;
        let vae = Vae::load(vae_config, &weights)?;
        weights.finish()?;
        let weights = open("unet")?;
        let unet = UNet::load(unet_config, &weights)?;
        weights.finish()?;
        Ok(Self {
            unet,
            vae,
            text,
            tokenizer,
            schedule,
            device: device.clone(),
        })
    }

    /// Where the networks are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The identity of a base model: BLAKE3 over the digests of its networks' weights, in hex.
    ///
    /// Reads every file once. An adapter names the base model it belongs to by this.
    pub fn digest(dir: &Path, variant: Option<&str>) -> Result<String> {
        let mut all = blake3::Hasher::new();
        for network in NETWORKS {
            all.update(digest(&dir.join(network), variant)?.as_bytes());
        }
        Ok(all.finalize().to_hex().to_string())
    }
}
