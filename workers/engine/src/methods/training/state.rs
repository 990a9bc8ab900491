//! Everything needed to continue a training as if it had never stopped.
//!
//! Random draws are a function of the train step, so the step count is also the position in the random numbers. A
//! training continued on the same kind of device is equal bit by bit to one that was never interrupted.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::AdamW;
use super::adamw::Moments;
use crate::methods::Error;
use crate::tensor_file::{self, Content};

const KIND: &str = "vico.kind";
const TRAINING: &str = "vico.training";
const STEPS_DONE: &str = "vico.steps_done";
const KIND_VALUE: &str = "training_state";

/// Parameters, both running means of each, the number of train steps done, and a text that identifies the training.
#[derive(Clone, Debug)]
pub struct TrainingState(Content);

impl TrainingState {
    /// The state of `optimiser` now. `training` names what it belongs to.
    ///
    /// # Errors
    /// A value cannot be copied on its device.
    pub(super) fn of(optimiser: &AdamW, training: &str) -> crate::Result<Self> {
        let mut tensors = BTreeMap::new();
        for parameter in optimiser.parameters() {
            let Moments { first, second } = &optimiser.moments()[&parameter.name];
            let copies = [
                ("value", parameter.value.as_detached_tensor().copy()?),
                ("first", first.clone()),
                ("second", second.clone()),
            ];
            tensors.extend(copies.map(|(part, tensor)| (key(part, &parameter.name), tensor)));
        }
        let facts = [
            (KIND, KIND_VALUE),
            (TRAINING, training),
            (STEPS_DONE, &optimiser.steps_done().to_string()),
        ];
        let metadata = facts
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        Ok(Self(Content { metadata, tensors }))
    }

    /// Train steps done.
    ///
    /// # Errors
    /// Cannot happen for a state made by this module; a file is checked when it is read.
    pub fn steps_done(&self) -> Result<usize, tensor_file::Error> {
        Ok(self.0.number(STEPS_DONE)? as usize)
    }

    /// Sets the parameters and the optimiser to this state, which goes tensor by tensor on the way.
    ///
    /// # Errors
    /// The state belongs to another training, or its tensors do not fit.
    pub(super) fn restore(mut self, optimiser: &mut AdamW, training: &str) -> crate::Result<()> {
        let made_by = self.0.text(TRAINING)?;
        if made_by != training {
            return Err(foreign(&format!("`{TRAINING}`"), &training, &made_by).into());
        }
        let expected = 3 * optimiser.parameters().count();
        if self.0.tensors.len() != expected {
            return Err(foreign("number of tensors", &expected, &self.0.tensors.len()).into());
        }
        let mut moments = BTreeMap::new();
        for parameter in optimiser.parameters() {
            let mut part = |part| self.part(part, &parameter.name, parameter.value.as_tensor());
            moments.insert(
                parameter.name.clone(),
                Moments {
                    first: part("first")?,
                    second: part("second")?,
                },
            );
            parameter.value.set(&part("value")?)?;
        }
        optimiser.restore(moments, self.steps_done()?);
        Ok(())
    }

    /// Takes the saved tensor `part` of a parameter, with its shape, out of the state and to the parameter's device. What is
    /// there already is not copied: a whole model's means would be in memory twice.
    fn part(&mut self, part: &str, name: &str, like: &Tensor) -> crate::Result<Tensor> {
        let key = key(part, name);
        match self.0.tensors.remove(&key) {
            Some(saved) if saved.shape() == like.shape() => Ok(saved.to_device(like.device())?),
            Some(saved) => Err(foreign(
                &key,
                &format!("{:?}", like.dims()),
                &format!("{:?}", saved.dims()),
            )
            .into()),
            None => Err(foreign(&key, &"a tensor", &"absent").into()),
        }
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// A tensor cannot be read from its device.
    pub fn to_bytes(&self) -> Result<Vec<u8>, tensor_file::Error> {
        self.0.to_bytes()
    }

    /// Reads a state file; its tensors stay on the CPU until they are restored.
    ///
    /// # Errors
    /// The bytes are not a training state.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, tensor_file::Error> {
        let state = Self(Content::from_bytes(bytes, &Device::Cpu)?);
        state.0.expect(KIND, KIND_VALUE)?;
        state.0.text(TRAINING)?;
        state.steps_done()?;
        Ok(state)
    }
}

fn key(part: &str, name: &str) -> String {
    format!("{part}.{name}")
}

fn foreign(what: &str, expected: &impl ToString, got: &impl ToString) -> Error {
    Error::ForeignState {
        what: what.to_owned(),
        expected: expected.to_string(),
        got: got.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use candle_core::{Storage, Var};

    use super::super::{AdamWSpec, Parameter, ParameterGroup};
    use super::*;

    fn optimiser() -> AdamW {
        let start = Tensor::new(&[1f32, 2.0], &Device::Cpu).unwrap();
        let group = ParameterGroup {
            name: "all",
            lr: 0.1,
            parameters: vec![Parameter {
                name: "a".to_owned(),
                value: Var::from_tensor(&start).unwrap(),
            }],
        };
        AdamW::new(AdamWSpec::default(), vec![group]).unwrap()
    }

    /// Where a tensor's numbers lie.
    fn address(tensor: &Tensor) -> *const f32 {
        let (storage, _) = tensor.storage_and_layout();
        let Storage::Cpu(numbers) = &*storage else {
            panic!("not on the CPU");
        };
        numbers.as_slice::<f32>().unwrap().as_ptr()
    }

    #[test]
    fn the_means_of_a_state_are_taken_over_and_not_copied() {
        let saved = TrainingState::of(&optimiser(), "a training").unwrap();
        let state = TrainingState::from_bytes(&saved.to_bytes().unwrap()).unwrap();
        let before = ["first.a", "second.a"].map(|key| address(&state.0.tensors[key]));
        let mut resumed = optimiser();
        state.restore(&mut resumed, "a training").unwrap();
        let Moments { first, second } = &resumed.moments()["a"];
        assert_eq!([first, second].map(address), before);
    }
}
