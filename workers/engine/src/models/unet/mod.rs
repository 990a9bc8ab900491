//! The U-Net of Stable Diffusion v1, with diffusers weight names, per-sample timesteps and a hook at each
//! transformer.
//!
//! Published for `UNet2DConditionModel` of diffusers; block numbering in two conventions is in [`Site`].

mod blocks;
mod checkpointing;
mod config;
mod hook;
mod resnet;
mod site;
mod time;
mod transformer;
mod walk;

pub use checkpointing::Checkpointing;
pub use config::{Heads, UNetConfig};
pub use hook::{ColumnRequest, Flow, PlainSd, SiteHook};
pub use site::{Part, Site, sd_v1_names};

use candle_core::{Result, Tensor, bail};

use blocks::{DownBlock, MiddleBlock, UpBlock};
use time::TimeEmbedding;
use walk::{Walk, WalkSettings};

use super::Loaded;
use super::layers::{Conv2d, Conv2dSize, GroupNorm};
use crate::kernels::{Chain, GroupNormSpec};
use crate::weights::Weights;

/// The noise predictor. A clone shares the weights.
#[derive(Clone)]
pub struct UNet {
    config: UNetConfig,
    time: TimeEmbedding,
    conv_in: Conv2d,
    down: Vec<DownBlock>,
    middle: MiddleBlock,
    up: Vec<UpBlock>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
    settings: WalkSettings,
}

impl UNet {
    /// Reads a U-Net of this configuration; asks for every tensor such a network has.
    pub fn load(config: UNetConfig, weights: &Weights) -> Loaded<Self> {
        let first = config.block_out_channels[0];
        let spec = GroupNormSpec {
            groups: config.norm_num_groups,
            eps: config.norm_eps,
            silu: true,
        };
        let sites = config.sites();
        let mut sites = sites.into_iter();
        Ok(Self {
            time: TimeEmbedding::load(&config, weights)?,
            conv_in: Conv2d::load(
                &weights.pp("conv_in"),
                Conv2dSize::same(config.in_channels, first, 3),
            )?,
            down: DownBlock::load_all(&config, weights, &mut sites)?,
            middle: MiddleBlock::load(&config, &weights.pp("mid_block"), &mut sites)?,
            up: UpBlock::load_all(&config, weights, &mut sites)?,
            norm_out: GroupNorm::load(&weights.pp("conv_norm_out"), first, spec)?,
            conv_out: Conv2d::load(
                &weights.pp("conv_out"),
                Conv2dSize::same(first, config.out_channels, 3),
            )?,
            settings: WalkSettings::default(),
            config,
        })
    }

    /// The configuration it was read with.
    pub fn config(&self) -> &UNetConfig {
        &self.config
    }

    /// What is computed a second time in the backward pass.
    ///
    /// With [`Checkpointing::All`], trained weights in a transformer block are an error where the whole block is computed again:
    /// where its inputs lead to a variable and the hook wants no text columns of its site. Other parts with trained weights keep
    /// what they read, whatever this says.
    pub fn set_checkpointing(&mut self, checkpointing: Checkpointing) {
        self.settings.checkpointing = checkpointing;
    }

    /// Whether keys and values of the first text token (begin of text) are cut from the gradient in every text
    /// cross-attention, as Custom Diffusion trains (official `src/model.py:154-158`).
    pub fn set_detach_first_token(&mut self, on: bool) {
        self.settings.detach_first_token = on;
    }

    /// The predicted noise (b', 4, h, w) of x (b, 4, h, w) at one timestep per sample under a text context
    /// (b, tokens, width); b' is b unless the hook dropped rows.
    ///
    /// An error if the hook stops the walk; use [`Self::run`] for hooks that do.
    pub fn forward(
        &self,
        x: &Tensor,
        timesteps: &[f64],
        context: &Tensor,
        hook: &mut dyn SiteHook,
    ) -> Result<Tensor> {
        match self.run(x, timesteps, context, hook)? {
            Some(noise) => Ok(noise),
            None => bail!("the hook stopped the U-Net before its output"),
        }
    }

    /// Like [`Self::forward`]; `None` if the hook stopped the walk.
    pub fn run(
        &self,
        x: &Tensor,
        timesteps: &[f64],
        context: &Tensor,
        hook: &mut dyn SiteHook,
    ) -> Result<Option<Tensor>> {
        self.check(x, timesteps, context)?;
        let emb = self.time.forward(timesteps, x.device())?;
        let mut walk = Walk::new(
            self.conv_in.forward(x)?,
            emb,
            context.clone(),
            hook,
            self.settings,
        );
        if !self.blocks(&mut walk)? {
            return Ok(None);
        }
        let normal = self.norm_out.follow(Chain::on(&walk.x)?)?;
        self.conv_out.follow(normal)?.end().map(Some)
    }

    /// Walks through all blocks; false if the hook stopped.
    fn blocks(&self, walk: &mut Walk<'_>) -> Result<bool> {
        walk.push_skip();
        for block in &self.down {
            if !block.forward(walk)? {
                return Ok(false);
            }
        }
        if !self.middle.forward(walk)? {
            return Ok(false);
        }
        for block in &self.up {
            if !block.forward(walk)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn check(&self, x: &Tensor, timesteps: &[f64], context: &Tensor) -> Result<()> {
        let (b, channels, h, w) = x.dims4()?;
        let (context_b, _, width) = context.dims3()?;
        if channels != self.config.in_channels || width != self.config.cross_attention_dim {
            bail!(
                "unet: input {:?} and context {:?} do not fit the configuration",
                x.dims(),
                context.dims()
            );
        }
        if timesteps.len() != b || context_b != b {
            bail!(
                "unet: {b} samples, {} timesteps, {context_b} contexts",
                timesteps.len()
            );
        }
        let multiple = 1 << (self.down.len() - 1);
        if h == 0 || w == 0 || h % multiple != 0 || w % multiple != 0 {
            bail!("unet: a {h}x{w} map is not a multiple of {multiple}");
        }
        Ok(())
    }
}
