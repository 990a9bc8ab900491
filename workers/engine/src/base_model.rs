//! The untouched network: U-Net, VAE, text encoder, tokenizer and noise schedule.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor};

use crate::Result;
use crate::diffusion::NoiseSchedule;
use crate::models::clip_text::{ClipText, ClipTextConfig};
use crate::models::unet::{UNet, UNetConfig};
use crate::models::vae::{Vae, VaeConfig};
use crate::tokenizer::ClipTokenizer;
use crate::weights::{LowRank, Precision, Weights, digest, read_config};

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
    text_config: ClipTextConfig,
    tensors: NetworkTensors,
    precision: Option<Precision>,
    device: Device,
}

/// The tensors that the two networks methods may change were made from, by name; they share memory with the networks.
struct NetworkTensors {
    unet: BTreeMap<String, Tensor>,
    text: BTreeMap<String, Tensor>,
}

impl BaseModel {
    /// Reads a diffusers directory (`unet/`, `vae/`, `text_encoder/`, `tokenizer/`, `scheduler/`).
    ///
    /// `variant` picks files such as `*.fp16.safetensors` for all networks alike. Every tensor a network needs must
    /// be there, and every tensor in the files must be needed.
    pub fn load(dir: &Path, variant: Option<&str>, device: &Device) -> Result<Self> {
        Self::load_in(None, dir, variant, device)
    }

    /// The same, with the U-Net's matrices in `precision`. Without, they are as the files have them, and on a CPU f32.
    ///
    /// What a method trains is f32 in any case.
    pub fn load_in(
        precision: Option<Precision>,
        dir: &Path,
        variant: Option<&str>,
        device: &Device,
    ) -> Result<Self> {
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
        let text_tensors = weights.given();
        drop(weights); // and with it what stays in memory of its file
        let weights = open("vae")?;
        let vae = Vae::load(vae_config, &weights)?;
        weights.finish()?;
        drop(weights);
        let weights = open("unet")?.in_precision(precision);
        let unet = UNet::load(unet_config, &weights)?;
        weights.finish()?;
        let tensors = NetworkTensors {
            unet: weights.given(),
            text: text_tensors,
        };
        Ok(Self {
            unet,
            vae,
            text,
            tokenizer,
            schedule,
            text_config,
            tensors,
            precision,
            device: device.clone(),
        })
    }

    /// The tensors of the U-Net by diffusers name.
    pub fn unet_tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors.unet
    }

    /// The tensors of the text encoder by transformers name.
    pub fn text_tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors.text
    }

    /// The U-Net with some tensors replaced, by variables for instance, and low-rank additions to linear layers; all
    /// else is shared.
    ///
    /// # Errors
    /// A replacement has no tensor of its name, another shape, or values that are not finite.
    pub fn unet_with(
        &self,
        replaced: BTreeMap<String, Tensor>,
        additions: BTreeMap<String, LowRank>,
    ) -> Result<UNet> {
        let weights = Weights::from_tensors("adapter (unet)", merged(&self.tensors.unet, replaced));
        let weights = weights.with_low_rank(additions);
        let unet = UNet::load(self.unet.config().clone(), &weights)?;
        weights.finish()?;
        Ok(unet)
    }

    /// The text encoder with some tensors replaced; see [`Self::unet_with`].
    ///
    /// # Errors
    /// As there.
    pub fn text_with(&self, replaced: BTreeMap<String, Tensor>) -> Result<ClipText> {
        let weights = Weights::from_tensors("adapter (text_encoder)", merged(&self.tensors.text, replaced));
        let text = ClipText::load(&self.text_config, &weights)?;
        weights.finish()?;
        Ok(text)
    }

    /// What the U-Net's matrices were asked to be kept in.
    pub fn precision(&self) -> Option<Precision> {
        self.precision
    }

    /// Where the networks are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// BLAKE3 over the digests of the networks' weights, in hex: whether two folders hold the same numbers.
    ///
    /// Reads every file once. It is not what an adapter's `vico.base` says: that is the identity which a plan gives the model,
    /// a digest over configuration, tokenizer and schedule, too.
    pub fn digest(dir: &Path, variant: Option<&str>) -> Result<String> {
        let mut all = blake3::Hasher::new();
        for network in NETWORKS {
            all.update(digest(&dir.join(network), variant)?.as_bytes());
        }
        Ok(all.finalize().to_hex().to_string())
    }
}

fn merged(base: &BTreeMap<String, Tensor>, replaced: BTreeMap<String, Tensor>) -> HashMap<String, Tensor> {
    let mut all: HashMap<String, Tensor> = base.clone().into_iter().collect();
    all.extend(replaced);
    all
}
