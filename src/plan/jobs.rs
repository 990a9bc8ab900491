//! The jobs of one run: exactly the inputs that each stage reads.

use std::sync::Arc;

use super::lookup::Models;
use crate::digest::Digest;
use crate::ids::JobKey;
use crate::job::Resources;
use crate::manifest::Settings;
use crate::spec::{
    ClassImagesInputs, ConceptInputs, JobInputs, JobSpec, MethodSpec, ModelSource, PromptSpec,
    ReferencePolicy, SampleInputs, ScoreInputs, Sources, TrainInputs, algorithm,
};

/// What the jobs of a run are made of.
pub(super) struct Parts<'a> {
    pub settings: &'a Settings,
    pub models: &'a Models,
    pub concept: &'a Arc<ConceptInputs>,
    pub method: &'a MethodSpec,
    pub prompts: &'a Arc<[PromptSpec]>,
}

/// A job's key and its document.
pub(super) type Keyed = (JobKey, JobSpec);

impl Parts<'_> {
    /// `None` for a method without a prior loss.
    pub(super) fn class_images(&self) -> Option<Keyed> {
        let prior = self.method.prior()?;
        let inputs = JobInputs::ClassImages(ClassImagesInputs {
            algorithm: algorithm::CLASS_IMAGES,
            base: self.models.base.clone(),
            prompt: prior.prompt_of(&self.concept.class),
            count: prior.class_images,
            steps: prior.steps,
            guidance: prior.guidance,
            eta: prior.eta,
            size: self.settings.sampling.size,
            seed: prior.seed,
        });
        Some(self.keyed(inputs, self.base_source(), &self.settings.resources.class_images))
    }

    /// What training reads; `None` for a method that learns nothing.
    pub(super) fn train_inputs(&self, class_images: Option<JobKey>) -> Option<JobInputs> {
        if !self.method.is_trained() {
            return None;
        }
        Some(JobInputs::Train(TrainInputs {
            algorithm: algorithm::train(self.method.method()),
            base: self.models.base.clone(),
            concept: Arc::clone(self.concept),
            method: as_trained(self.method),
            class_images,
            size: self.settings.sampling.size,
            seed: self.settings.train_seed,
        }))
    }

    pub(super) fn train(&self, inputs: JobInputs) -> Keyed {
        self.keyed(inputs, self.base_source(), &self.settings.resources.train)
    }

    pub(super) fn sample(&self, train: Option<JobKey>) -> Keyed {
        let inputs = JobInputs::Sample(SampleInputs {
            algorithm: algorithm::SAMPLE,
            base: self.models.base.clone(),
            train,
            concept: Arc::clone(self.concept),
            method: self.method.clone(),
            prompts: Arc::clone(self.prompts),
            sampling: self.settings.sampling.clone(),
        });
        self.keyed(inputs, self.base_source(), &self.settings.resources.sample)
    }

    /// `None` where nothing is measured.
    pub(super) fn score(&self, sample: JobKey) -> Option<Keyed> {
        let metrics = self.settings.metrics.as_ref()?;
        let (evaluators, sources) = self.models.evaluators.as_ref()?;
        let inputs = JobInputs::Score(ScoreInputs {
            algorithm: algorithm::SCORE,
            sample,
            concept: Arc::clone(self.concept),
            prompts: Arc::clone(self.prompts),
            images_per_prompt: self.settings.sampling.images_per_prompt,
            prior_images: self.settings.sampling.prior_images,
            evaluators: evaluators.clone(),
            protocols: metrics.protocols.clone(),
        });
        let identities = evaluators.models().map(|model| model.identity);
        let sources = identities.zip(sources).collect();
        Some(self.keyed(inputs, sources, &self.settings.resources.score))
    }

    fn base_source(&self) -> Vec<(Digest, &Arc<ModelSource>)> {
        vec![(self.models.base.identity, &self.models.base_source)]
    }

    fn keyed(
        &self,
        inputs: JobInputs,
        models: Vec<(Digest, &Arc<ModelSource>)>,
        resources: &Resources,
    ) -> Keyed {
        let key = inputs
            .key()
            .expect("inputs are plain structs, whose maps have text keys");
        let checkpoint_every = match inputs {
            JobInputs::Train(_) => self.settings.checkpoint_every,
            JobInputs::ClassImages(_) | JobInputs::Sample(_) | JobInputs::Score(_) => 0,
        };
        let models = models
            .into_iter()
            .map(|(identity, source)| (identity, Arc::clone(source)))
            .collect();
        let spec = JobSpec {
            inputs,
            sources: Sources { models },
            resources: resources.clone(),
            checkpoint_every,
        };
        (key, spec)
    }
}

/// The settings that training reads: which reference is shown while sampling is not among them.
fn as_trained(method: &MethodSpec) -> MethodSpec {
    let mut method = method.clone();
    if let MethodSpec::Vico(settings) = &mut method {
        settings.reference_policy = ReferencePolicy::Fixed;
        settings.reference_index = 0;
    }
    method
}
