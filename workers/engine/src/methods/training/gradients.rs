//! Gradients of one train step, added up over its micro-batches in sample order.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Result as TensorResult, Tensor};

use super::{Parameter, ParameterGroup};
use crate::methods::Error;

/// Gradient by parameter name; detached, so nothing of the graph is kept alive.
#[derive(Debug, Default)]
pub struct Gradients(BTreeMap<String, Tensor>);

impl Gradients {
    /// Adds what one backward pass left for `parameters`.
    ///
    /// # Errors
    /// A parameter got no gradient, or the sum fails on the device. `step` counts from 1 and names the train step.
    pub fn add<'a>(
        &mut self,
        mut store: GradStore,
        parameters: impl Iterator<Item = &'a Parameter>,
        step: usize,
    ) -> crate::Result<()> {
        for Parameter { name, value } in parameters {
            let gradient = store
                .remove(value.as_tensor())
                .ok_or_else(|| Error::NoGradient {
                    step,
                    tensor: name.clone(),
                })?
                .detach();
            let sum = match self.0.get(name) {
                Some(sum) => (sum + gradient)?,
                None => gradient,
            };
            self.0.insert(name.clone(), sum);
        }
        Ok(())
    }

    /// The gradient of the parameter called `name`.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, name: &str) -> TensorResult<&Tensor> {
        self.0
            .get(name)
            .ok_or_else(|| candle_core::Error::Msg(format!("no gradient for `{name}`")))
    }

    /// Scales all gradients so that their common L2 norm is at most `most`, as PyTorch's `clip_grad_norm_` does.
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn clip(&mut self, norms: &[(&'static str, f32)], most: f64) -> TensorResult<()> {
        let total = norms
            .iter()
            .map(|(_, norm)| f64::from(*norm).powi(2))
            .sum::<f64>()
            .sqrt();
        let factor = most / (total + 1e-6);
        if factor < 1.0 {
            for gradient in self.0.values_mut() {
                *gradient = (&*gradient * factor)?;
            }
        }
        Ok(())
    }

    /// The L2 norm over each group, with its name.
    ///
    /// # Errors
    /// A gradient is missing, NaN or infinite; `step` counts from 1 and names the train step.
    pub fn norms(&self, groups: &[ParameterGroup], step: usize) -> crate::Result<Vec<(&'static str, f32)>> {
        groups
            .iter()
            .map(|group| Ok((group.name, self.norm(group, step)?)))
            .collect()
    }

    fn norm(&self, group: &ParameterGroup, step: usize) -> crate::Result<f32> {
        let mut squares = 0.0;
        for Parameter { name, .. } in &group.parameters {
            let square = self.get(name)?.sqr()?.sum_all()?.to_scalar::<f32>()?;
            if !square.is_finite() {
                return Err(Error::NotFinite {
                    step,
                    tensor: name.clone(),
                    value: square.sqrt(),
                }
                .into());
            }
            squares += f64::from(square);
        }
        Ok(squares.sqrt() as f32)
    }
}
