//! The train loop: accumulate gradients over micro-batches, check them, update, report.

use std::ops::Range;
use std::time::Instant;

use candle_core::Tensor;

use super::{AdamW, AdamWSpec, Gradients, ParameterGroup, TrainingState};
use crate::adapter::Adapter;
use crate::methods::{Error, Next};

/// The part of training that differs between methods.
///
/// A train step's loss is the mean over its `batch` samples, and every random draw is keyed by train step and sample, so
/// how the batch is split into micro-batches changes no draw and no definition; only the order of f32 additions.
pub trait Objective {
    /// Names the training: two trainings with equal names make the same draws and have the same parameters.
    fn name(&self) -> String;

    /// The trainable tensors.
    fn groups(&self) -> Vec<ParameterGroup>;

    /// The loss of some samples of a train step (from 0): the sum of their losses divided by the batch.
    ///
    /// # Errors
    /// A tensor operation fails.
    fn loss(&self, step: usize, samples: Range<usize>) -> crate::Result<Loss>;

    /// What has been learned after `steps_done` train steps.
    ///
    /// # Errors
    /// A tensor operation fails.
    fn adapter(&self, steps_done: usize) -> crate::Result<Adapter>;
}

/// A micro-batch's share of the batch loss.
#[derive(Debug)]
pub struct Loss {
    /// What is differentiated, a scalar.
    pub total: Tensor,
    /// Its noise-prediction part.
    pub mse: f32,
    /// Its regulariser, before the weight.
    pub regulariser: f32,
}

/// How long and in what portions to train.
#[derive(Clone, Copy, Debug)]
pub struct TrainPlan {
    /// Train steps in all.
    pub steps: usize,
    /// Samples per train step.
    pub batch: usize,
    /// Samples that are in memory at once.
    pub micro_batch: usize,
    /// The optimiser's settings.
    pub optimiser: AdamWSpec,
    /// Gradients are scaled down to this L2 norm over all parameters; `None` leaves them as they are.
    pub max_grad_norm: Option<f64>,
}

/// What one train step did.
#[derive(Clone, Debug)]
pub struct TrainReport {
    /// Train steps done, this one included.
    pub step: usize,
    /// Train steps in all.
    pub of: usize,
    /// The loss that was differentiated.
    pub loss: f32,
    /// Its noise-prediction part, a mean square.
    pub mse: f32,
    /// Its regulariser, before the weight.
    pub regulariser: f32,
    /// L2 norm of the gradient of each parameter group, before clipping.
    pub grad_norms: Vec<(&'static str, f32)>,
    /// Wall time.
    pub seconds: f32,
}

/// Looks on while a training runs, may save its state and may end it.
pub trait Watch {
    /// Called after every train step. `state` makes a snapshot to continue from.
    fn after_step(&mut self, report: &TrainReport, state: &dyn Fn() -> crate::Result<TrainingState>) -> Next;
}

/// Trains until the plan is fulfilled or `watch` says stop, from the start or from `resume`, which is let go of before
/// the first step.
///
/// # Errors
/// The plan makes no sense, `resume` belongs to another training, a tensor operation fails, or a loss or gradient is
/// NaN or infinite (the parameters then still have their values from before that train step).
pub fn run(
    objective: &dyn Objective,
    plan: &TrainPlan,
    resume: Option<TrainingState>,
    watch: &mut dyn Watch,
) -> crate::Result<Adapter> {
    plan.check()?;
    let name = objective.name();
    let mut optimiser = AdamW::new(plan.optimiser, objective.groups())?;
    if let Some(state) = resume {
        state.restore(&mut optimiser, &name)?;
    }
    while optimiser.steps_done() < plan.steps {
        let report = train_step(objective, plan, &mut optimiser)?;
        let state = || TrainingState::of(&optimiser, &name);
        if watch.after_step(&report, &state) == Next::Stop {
            break;
        }
    }
    objective.adapter(optimiser.steps_done())
}

fn train_step(
    objective: &dyn Objective,
    plan: &TrainPlan,
    optimiser: &mut AdamW,
) -> crate::Result<TrainReport> {
    let started = Instant::now();
    let step = optimiser.steps_done();
    let mut gradients = Gradients::default();
    let (mut total, mut mse, mut regulariser) = (0.0, 0.0, 0.0);
    for first in (0..plan.batch).step_by(plan.micro_batch) {
        let loss = objective.loss(step, first..plan.batch.min(first + plan.micro_batch))?;
        let value = finite(loss.total.to_scalar::<f32>()?, step + 1)?;
        gradients.add(loss.total.backward()?, optimiser.parameters(), step + 1)?;
        total += value;
        mse += loss.mse;
        regulariser += loss.regulariser;
    }
    let grad_norms = gradients.norms(optimiser.groups(), step + 1)?;
    if let Some(most) = plan.max_grad_norm {
        gradients.clip(&grad_norms, most)?;
    }
    optimiser.update(&gradients)?;
    let seconds = started.elapsed().as_secs_f32();
    Ok(TrainReport {
        step: step + 1,
        of: plan.steps,
        loss: total,
        mse,
        regulariser,
        grad_norms,
        seconds,
    })
}

fn finite(loss: f32, step: usize) -> Result<f32, Error> {
    if loss.is_finite() {
        return Ok(loss);
    }
    Err(Error::NotFinite {
        step,
        tensor: "loss".to_owned(),
        value: loss,
    })
}

impl TrainPlan {
    fn check(&self) -> Result<(), Error> {
        let counts = [
            ("steps", self.steps),
            ("batch", self.batch),
            ("micro_batch", self.micro_batch),
        ];
        match counts.into_iter().find(|(_, count)| *count == 0) {
            Some((name, _)) => Err(Error::Setting {
                name,
                expected: "at least 1".to_owned(),
                got: "0".to_owned(),
            }),
            None => Ok(()),
        }
    }
}
