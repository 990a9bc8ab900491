//! What of a plan's models placement goes by.

use std::collections::{BTreeSet, HashMap};

use vico::digest::Digest;
use vico::spec::{JobInputs, ModelInputs};

/// The digests of [`ModelInputs::loaded`], made once for all jobs of a plan.
#[derive(Default)]
pub(super) struct Loaded(HashMap<ModelInputs, [Digest; 2]>);

impl Loaded {
    /// What a worker has at hand that has loaded the job's models as the job asks for them.
    pub(super) fn models(&mut self, inputs: &JobInputs) -> Vec<Digest> {
        let models: BTreeSet<_> = match inputs {
            JobInputs::ClassImages(inputs) => self.of(&inputs.base).into(),
            JobInputs::Train(inputs) => self.of(&inputs.base).into(),
            JobInputs::Sample(inputs) => self.of(&inputs.base).into(),
            JobInputs::Score(inputs) => {
                let models = inputs.evaluators.models();
                models.flat_map(|model| self.of(model)).collect()
            }
        };
        models.into_iter().collect()
    }

    fn of(&mut self, model: &ModelInputs) -> [Digest; 2] {
        match self.0.get(model) {
            Some(known) => *known,
            None => *self.0.entry(model.clone()).or_insert(model.loaded()),
        }
    }
}
