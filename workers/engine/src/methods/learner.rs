//! What a baseline trains and how its parts make a noise predictor; the loss and the loop are shared.

use std::collections::BTreeMap;
use std::ops::Range;

use candle_core::{Tensor, Var};

use super::denoising::{Batch, Pass};
use super::recipe::Recipe;
use super::samples::Samples;
use super::training::{Loss, Objective, Parameter, ParameterGroup, TrainingState, Watch, run};
use crate::adapter::Adapter;
use crate::base_model::BaseModel;
use crate::models::unet::UNet;

/// The trainable part of a baseline.
pub trait Learner {
    /// What it trains, for the identity of training states: method and settings.
    fn identity(&self) -> String;

    /// The trainable tensors.
    fn groups(&self) -> Vec<ParameterGroup>;

    /// The U-Net with what is learned in place.
    fn unet(&self) -> &UNet;

    /// The text encoder's output for some captions, (b, 77, width).
    ///
    /// # Errors
    /// A tensor operation fails.
    fn context(&self, ids: &[Vec<u32>]) -> crate::Result<Tensor>;

    /// The adapter with these tensors.
    ///
    /// # Errors
    /// A tensor operation fails.
    fn adapter(&self, steps_done: usize, tensors: BTreeMap<String, Tensor>) -> crate::Result<Adapter>;
}

/// The loss of a batch whose first rows are reference images and whose others are class images.
#[derive(Debug)]
pub struct PriorLoss {
    /// Mean loss over the reference images, a scalar.
    pub instance: Tensor,
    /// Mean loss over the class images, a scalar.
    pub prior: Option<Tensor>,
}

impl PriorLoss {
    /// Of a pass whose first `instances` rows are reference images.
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn of(pass: &Pass, instances: usize) -> candle_core::Result<Self> {
        let others = pass.loss.dim(0)? - instances;
        let prior = if others == 0 {
            None
        } else {
            Some(pass.loss.narrow(0, instances, others)?.mean_all()?)
        };
        Ok(Self {
            instance: pass.loss.narrow(0, 0, instances)?.mean_all()?,
            prior,
        })
    }

    /// instance + weight · prior.
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn total(&self, weight: f64) -> candle_core::Result<Tensor> {
        match &self.prior {
            Some(prior) => &self.instance + (prior * weight)?,
            None => Ok(self.instance.clone()),
        }
    }
}

/// A baseline in training.
pub(super) struct Training<'a, L> {
    pub(super) base: &'a BaseModel,
    pub(super) recipe: &'a Recipe,
    pub(super) learner: L,
    pub(super) references: Samples<'a>,
    /// Class images and the weight of their loss.
    pub(super) prior: Option<(Samples<'a>, f64)>,
}

impl<L: Learner> Training<'_, L> {
    pub(super) fn run(&self, resume: Option<TrainingState>, watch: &mut dyn Watch) -> crate::Result<Adapter> {
        run(self, &self.recipe.plan(), resume, watch)
    }

    fn batch(&self, step: usize, samples: Range<usize>) -> crate::Result<Batch> {
        let references = self.references.batch(step, samples.clone())?;
        match &self.prior {
            Some((class_images, _)) => Ok(references.join(&class_images.batch(step, samples)?)?),
            None => Ok(references),
        }
    }
}

impl<L: Learner> Objective for Training<'_, L> {
    fn name(&self) -> String {
        let prior = self.prior.as_ref().map_or(0.0, |(_, weight)| *weight);
        format!(
            "{} {} prior={prior}",
            self.learner.identity(),
            self.recipe.identity()
        )
    }

    fn groups(&self) -> Vec<ParameterGroup> {
        self.learner.groups()
    }

    fn loss(&self, step: usize, samples: Range<usize>) -> crate::Result<Loss> {
        let instances = samples.len();
        let share = instances as f64 / self.recipe.batch as f64;
        let batch = self.batch(step, samples)?;
        let context = self.learner.context(&batch.ids)?;
        let pass = batch.run(self.base, self.learner.unet(), &context)?;
        let loss = PriorLoss::of(&pass, instances)?;
        let weight = self.prior.as_ref().map_or(0.0, |(_, weight)| *weight);
        let part = |value: &Tensor| (value.detach() * share)?.to_scalar::<f32>();
        Ok(Loss {
            total: (loss.total(weight)? * share)?,
            mse: part(&loss.instance)?,
            regulariser: loss.prior.as_ref().map(part).transpose()?.unwrap_or_default(),
        })
    }

    fn adapter(&self, steps_done: usize) -> crate::Result<Adapter> {
        let groups = self.learner.groups();
        let parameters = groups.iter().flat_map(|group| &group.parameters);
        let copy = |p: &Parameter| Ok((p.name.clone(), p.value.as_detached_tensor().copy()?));
        let tensors = parameters.map(copy).collect::<crate::Result<_>>()?;
        let adapter = self.learner.adapter(steps_done, tensors)?;
        Ok(adapter.with("vico.concept", &self.recipe.concept))
    }
}

/// A variable per tensor, named `prefix` and its name, and the same as tensors under their own names.
pub(super) fn variables(
    prefix: &str,
    start: impl IntoIterator<Item = (String, Tensor)>,
) -> candle_core::Result<(Vec<Parameter>, BTreeMap<String, Tensor>)> {
    let (mut parameters, mut tensors) = (Vec::new(), BTreeMap::new());
    for (name, tensor) in start {
        let value = Var::from_tensor(&tensor.to_dtype(candle_core::DType::F32)?)?;
        tensors.insert(name.clone(), value.as_tensor().clone());
        parameters.push(Parameter {
            name: format!("{prefix}{name}"),
            value,
        });
    }
    Ok((parameters, tensors))
}
