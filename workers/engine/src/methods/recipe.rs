//! The settings that every baseline's training has.

use super::Error;
use super::training::{AdamWSpec, TrainPlan};

/// How long, on what and in what portions to train. Effective values: nothing multiplies them.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Train steps.
    pub steps: usize,
    /// Reference images per train step; with prior preservation as many class images come on top.
    pub batch: usize,
    /// Samples in memory at once; changes results only by f32 rounding.
    pub micro_batch: usize,
    /// Decoupled weight decay of everything trained.
    pub weight_decay: f64,
    /// The gradient's L2 norm over all parameters is cut down to this.
    pub max_grad_norm: Option<f64>,
    /// Side of the square images.
    pub image_size: usize,
    /// Seed of every random draw.
    pub seed: u64,
    /// The concept's name, part of the key of every random draw.
    pub concept: String,
}

impl Recipe {
    /// Refuses what makes no sense; `rates` are the method's own numbers, by name.
    pub(super) fn check(&self, rates: &[(&'static str, f64)]) -> Result<(), Error> {
        let own = [
            ("weight_decay", self.weight_decay),
            ("max_grad_norm", self.max_grad_norm.unwrap_or_default()),
        ];
        let bad = |(_, value): &&(&str, f64)| !value.is_finite() || *value < 0.0;
        if let Some((name, value)) = own.iter().chain(rates).find(bad) {
            return Err(Error::Setting {
                name,
                expected: "a finite number of at least 0".to_owned(),
                got: value.to_string(),
            });
        }
        if self.image_size == 0 || !self.image_size.is_multiple_of(64) {
            return Err(Error::Setting {
                name: "image_size",
                expected: "a multiple of 64".to_owned(),
                got: self.image_size.to_string(),
            });
        }
        Ok(())
    }

    pub(super) fn plan(&self) -> TrainPlan {
        TrainPlan {
            steps: self.steps,
            batch: self.batch,
            micro_batch: self.micro_batch,
            optimiser: AdamWSpec {
                weight_decay: self.weight_decay,
                ..AdamWSpec::default()
            },
            max_grad_norm: self.max_grad_norm,
        }
    }

    /// The settings that a training state must agree with, as text.
    pub(super) fn identity(&self) -> String {
        let Self {
            batch,
            weight_decay,
            max_grad_norm,
            image_size,
            seed,
            concept,
            ..
        } = self;
        let clip = max_grad_norm.map_or_else(|| "none".to_owned(), |most| most.to_string());
        format!(
            "concept={concept:?} seed={seed} size={image_size} batch={batch} decay={weight_decay} clip={clip}"
        )
    }
}
