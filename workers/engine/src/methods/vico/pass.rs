//! One forward pass of training: noise the targets, run both branches, compare (vico-spec §2–§4).

use candle_core::{Result as TensorResult, Tensor};

use super::branches::{Branches, Columns, SiteRecord};
use super::learned::Learned;
use crate::base_model::BaseModel;
use crate::models::unet::UNet;

/// Some training samples with every random draw made.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Scaled latents of the targets, (b, 4, h, w).
    pub clean: Tensor,
    /// ε, (b, 4, h, w).
    pub noise: Tensor,
    /// Scaled latents of the references, (b, 4, h, w); never noised.
    pub reference: Tensor,
    /// One per sample.
    pub timesteps: Vec<usize>,
    /// Captions as 77 token ids each.
    pub ids: Vec<Vec<u32>>,
    /// Where the captions' tokens stand.
    pub columns: Vec<Columns>,
}

/// What the pass computed.
#[derive(Debug)]
pub struct Pass {
    /// The noised targets that went in, (b, 4, h, w).
    pub noisy: Tensor,
    /// The predicted noise, (b, 4, h, w).
    pub predicted: Tensor,
    /// Mean square error per sample, (b).
    pub mse: Tensor,
    /// One record per image cross-attention site.
    pub sites: Vec<SiteRecord>,
}

impl Batch {
    /// Runs targets and references as one batch. `unet` is the base model's, perhaps with checkpointing switched on.
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn run(&self, base: &BaseModel, unet: &UNet, learned: &Learned) -> crate::Result<Pass> {
        let context = learned.context(base, &self.ids)?; // (b, 77, width)
        let noisy = base
            .schedule
            .add_noise(&self.clean, &self.noise, &self.timesteps)?;
        let rows = Tensor::cat(&[&noisy, &self.reference], 0)?; // (2b, 4, h, w)
        let times: Vec<f64> = self.timesteps.iter().map(|&t| t as f64).collect();
        let mut branches = Branches::new(&learned.image_attention, &self.columns, learned.use_mask);
        // The references leave the batch on the way, so (b, 4, h, w) comes back.
        let predicted = unet.forward(
            &rows,
            &times.repeat(2),
            &Tensor::cat(&[&context, &context], 0)?,
            &mut branches,
        )?;
        let mse = (&predicted - &self.noise)?.sqr()?.flatten_from(1)?.mean(1)?; // (b)
        Ok(Pass {
            noisy,
            predicted,
            mse,
            sites: branches.into_records(),
        })
    }
}

impl Pass {
    /// The regulariser summed over the sites, before its weight, (b).
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn regulariser(&self) -> TensorResult<Tensor> {
        let zero = self.mse.zeros_like()?;
        self.sites
            .iter()
            .try_fold(zero, |sum, site| sum + &site.regulariser)
    }

    /// mse + weight · regulariser, (b).
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn loss(&self, regulariser_weight: f64) -> TensorResult<Tensor> {
        &self.mse + (self.regulariser()? * regulariser_weight)?
    }
}
