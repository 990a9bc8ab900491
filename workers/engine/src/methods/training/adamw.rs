//! AdamW as PyTorch computes it (Loshchilov & Hutter 2019): decoupled weight decay, one step count for all tensors,
//! learning rate per group. Everything is f32; the bias corrections are f64 scalars.

use std::collections::BTreeMap;

use candle_core::{Result as TensorResult, Tensor};

use super::{Gradients, Parameter, ParameterGroup};

/// The settings shared by all groups; the defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWSpec {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// Decoupled weight decay of every tensor, biases and norms included.
    pub weight_decay: f64,
}

impl Default for AdamWSpec {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.01,
        }
    }
}

/// The two running means of one tensor.
#[derive(Clone, Debug)]
pub struct Moments {
    /// Mean of gradients.
    pub first: Tensor,
    /// Mean of squared gradients.
    pub second: Tensor,
}

/// The optimiser over a method's parameter groups.
#[derive(Debug)]
pub struct AdamW {
    spec: AdamWSpec,
    groups: Vec<ParameterGroup>,
    moments: BTreeMap<String, Moments>,
    steps_done: usize,
}

impl AdamW {
    /// An optimiser that has not stepped yet.
    ///
    /// # Errors
    /// The device refuses the allocation of the moments.
    pub fn new(spec: AdamWSpec, groups: Vec<ParameterGroup>) -> TensorResult<Self> {
        let mut moments = BTreeMap::new();
        for Parameter { name, value } in groups.iter().flat_map(|group| &group.parameters) {
            let zero = value.zeros_like()?;
            moments.insert(
                name.clone(),
                Moments {
                    first: zero.clone(),
                    second: zero,
                },
            );
        }
        Ok(Self {
            spec,
            groups,
            moments,
            steps_done: 0,
        })
    }

    /// The groups it trains.
    pub fn groups(&self) -> &[ParameterGroup] {
        &self.groups
    }

    /// The parameters of all groups, in order.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.groups.iter().flat_map(|group| &group.parameters)
    }

    /// Optimiser updates done so far.
    pub fn steps_done(&self) -> usize {
        self.steps_done
    }

    /// The running means by parameter name.
    pub fn moments(&self) -> &BTreeMap<String, Moments> {
        &self.moments
    }

    /// Continues from saved means; the parameters' values are set by the caller.
    pub(super) fn restore(&mut self, moments: BTreeMap<String, Moments>, steps_done: usize) {
        self.moments = moments;
        self.steps_done = steps_done;
    }

    /// One update of every parameter.
    ///
    /// # Errors
    /// A gradient is missing or has another shape than its parameter.
    pub fn update(&mut self, gradients: &Gradients) -> TensorResult<()> {
        self.steps_done += 1;
        for group in &self.groups {
            for Parameter { name, value } in &group.parameters {
                let gradient = gradients.get(name)?;
                let moments = self
                    .moments
                    .get_mut(name)
                    .expect("one entry per parameter since `new`");
                moments.update(gradient, &self.spec)?;
                value.set(&moments.stepped(value, group.lr, &self.spec, self.steps_done)?)?;
            }
        }
        Ok(())
    }
}

impl Moments {
    /// m ← m + (1−β₁)(g−m), v ← β₂v + (1−β₂)g².
    fn update(&mut self, gradient: &Tensor, spec: &AdamWSpec) -> TensorResult<()> {
        self.first = (((gradient - &self.first)? * (1.0 - spec.beta1))? + &self.first)?;
        self.second = ((&self.second * spec.beta2)? + (gradient.sqr()? * (1.0 - spec.beta2))?)?;
        Ok(())
    }

    /// The parameter after update number `step`: θ(1−lr·λ) − lr/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε).
    fn stepped(&self, value: &Tensor, lr: f64, spec: &AdamWSpec, step: usize) -> TensorResult<Tensor> {
        let correction = |beta: f64| 1.0 - beta.powf(step as f64);
        let denominator = ((self.second.sqrt()? / correction(spec.beta2).sqrt())? + spec.eps)?;
        let direction = ((&self.first / denominator)? * (lr / correction(spec.beta1)))?;
        (value.detach() * (1.0 - lr * spec.weight_decay))? - direction
    }
}
