//! From a grant to work with every byte at hand.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use vico::ids::JobKey;
use vico::job::{BlobRef, Failure, FailureClass, Grant, Stage, output_names};
use vico::spec::{
    ClassImagesInputs, ConceptInputs, ImageInput, JobInputs, JobSpec, ModelInputs, SampleInputs, ScoreInputs,
    TrainInputs,
};
use vico::store;

use crate::engine::{
    ClassImagesWork, ModelFolder, NamedBytes, SampleWork, ScoreWork, StageWork, TrainWork, Work,
};
use crate::failure::{invalid, of_store};
use crate::lease::Lease;
use crate::worker::Worker;
use crate::{checkpoints, models};

/// Blobs fetched at the same time.
const AT_ONCE: usize = 8;

/// What an attempt begins with.
#[derive(Debug)]
pub struct Prepared {
    /// For the engine.
    pub work: Work,
    /// The checkpoints that were there when it was decided which of them to continue from.
    pub found: Vec<store::Checkpoint>,
}

/// Fetches the job's spec and all that it names.
///
/// # Errors
/// The bucket or the local disk fails, or the documents are not what this worker understands.
pub async fn work(worker: &Worker, lease: &Lease) -> Result<Prepared, Failure> {
    let job = lease.grant.job;
    let spec = read_spec(worker, lease).await?;
    let pantry = Pantry {
        worker,
        job,
        spec: &spec,
    };
    let mut found = Vec::new();
    let stage = match &spec.inputs {
        JobInputs::ClassImages(inputs) => StageWork::ClassImages(pantry.class_images(inputs).await?),
        JobInputs::Train(inputs) => {
            let (train, left) = pantry.train(inputs).await?;
            found = left;
            StageWork::Train(train)
        }
        JobInputs::Sample(inputs) => StageWork::Sample(pantry.sample(inputs).await?),
        JobInputs::Score(inputs) => StageWork::Score(pantry.score(inputs).await?),
    };
    let work = Work {
        job,
        memory_halvings: lease.grant.memory_halvings,
        stage,
    };
    Ok(Prepared { work, found })
}

/// A spec that does not read as what its key stands for was written by a version with other fields: this worker would
/// compute something else than was asked for.
async fn read_spec(worker: &Worker, lease: &Lease) -> Result<JobSpec, Failure> {
    let Grant { sweep, job, .. } = &lease.grant;
    worker.store.spec(sweep, *job).await.map_err(|error| match error {
        corrupt @ store::Error::Corrupt { .. } => Failure {
            class: FailureClass::VersionMismatch,
            message: format!("this worker does not understand the job's spec: {corrupt}"),
        },
        other => of_store(other),
    })
}

/// Where the inputs of one job come from.
struct Pantry<'a> {
    worker: &'a Worker,
    job: JobKey,
    spec: &'a JobSpec,
}

impl Pantry<'_> {
    async fn class_images(&self, inputs: &ClassImagesInputs) -> Result<ClassImagesWork, Failure> {
        Ok(ClassImagesWork {
            inputs: inputs.clone(),
            base: self.model(&inputs.base).await?,
        })
    }

    /// And all checkpoints that other attempts have left.
    async fn train(&self, inputs: &TrainInputs) -> Result<(TrainWork, Vec<store::Checkpoint>), Failure> {
        let base = self.model(&inputs.base).await?;
        let references = self.references(&inputs.concept).await?;
        let class_images = self.drawn_for(inputs).await?;
        // Last: while models are fetched, another attempt may get further.
        let found = checkpoints::found(self.worker, self.job).await?;
        let work = TrainWork {
            inputs: inputs.clone(),
            base,
            references,
            class_images,
            resume: checkpoints::latest(self.worker, &found).await?,
            checkpoint_every: self.spec.checkpoint_every,
        };
        Ok((work, found))
    }

    /// The class images of a train job, in their order.
    async fn drawn_for(&self, inputs: &TrainInputs) -> Result<Vec<NamedBytes>, Failure> {
        let Some(job) = inputs.class_images else {
            return Ok(Vec::new());
        };
        let made = self.outputs(job, Stage::ClassImages).await?;
        self.named_outputs(&made, made.keys().cloned()).await
    }

    async fn sample(&self, inputs: &SampleInputs) -> Result<SampleWork, Failure> {
        let adapter = match inputs.train {
            Some(train) => Some(self.adapter(train).await?),
            None => None,
        };
        Ok(SampleWork {
            inputs: inputs.clone(),
            base: self.model(&inputs.base).await?,
            references: self.references(&inputs.concept).await?,
            adapter,
        })
    }

    async fn adapter(&self, train: JobKey) -> Result<NamedBytes, Failure> {
        let made = self.outputs(train, Stage::Train).await?;
        self.output(&made, output_names::ADAPTER.to_owned()).await
    }

    async fn score(&self, inputs: &ScoreInputs) -> Result<ScoreWork, Failure> {
        let made = self.outputs(inputs.sample, Stage::Sample).await?;
        let per_prompt = inputs.images_per_prompt as usize;
        let names = (0..inputs.prompts.len())
            .flat_map(|prompt| (0..per_prompt).map(move |sample| output_names::image(prompt, sample)));
        let prior_names = (0..inputs.prior_images as usize).map(output_names::prior_image);
        Ok(ScoreWork {
            inputs: inputs.clone(),
            clip: self.model(&inputs.evaluators.clip).await?,
            dino: self.model(&inputs.evaluators.dino).await?,
            lpips: match &inputs.evaluators.lpips {
                Some(lpips) => Some(self.model(lpips).await?),
                None => None,
            },
            references: self.references(&inputs.concept).await?,
            images: self.named_outputs(&made, names).await?,
            prior_images: self.named_outputs(&made, prior_names).await?,
        })
    }

    /// Some of what a job has made, in the order of `names`.
    async fn named_outputs(
        &self,
        made: &BTreeMap<String, BlobRef>,
        names: impl Iterator<Item = String>,
    ) -> Result<Vec<NamedBytes>, Failure> {
        let files = names.map(|name| self.output(made, name)).collect::<Vec<_>>();
        stream::iter(files).buffered(AT_ONCE).try_collect().await
    }

    async fn model(&self, model: &ModelInputs) -> Result<ModelFolder, Failure> {
        let source = self.spec.sources.models.get(&model.identity).ok_or_else(|| {
            invalid(format!(
                "the job's spec does not say where the model {} is",
                model.identity
            ))
        })?;
        let folder = models::fetch(self.worker, model, source).await?;
        self.worker.at_hand.note(model.identity);
        Ok(folder)
    }

    async fn references(&self, concept: &ConceptInputs) -> Result<Vec<NamedBytes>, Failure> {
        try_join_all(concept.images.iter().map(|image| self.reference(image))).await
    }

    async fn reference(&self, image: &ImageInput) -> Result<NamedBytes, Failure> {
        let Some(blob) = self
            .worker
            .store
            .find_blob(image.digest)
            .await
            .map_err(of_store)?
        else {
            return Err(Failure {
                class: FailureClass::Storage,
                message: format!(
                    "the reference image `{}` is not in the bucket any more",
                    image.name
                ),
            });
        };
        let (name, bytes) = (image.name.clone(), self.worker.bytes(&blob).await?);
        Ok(NamedBytes { name, bytes })
    }

    /// What an upstream job has made. Its receipt is there, or this job would not have been granted.
    async fn outputs(&self, job: JobKey, stage: Stage) -> Result<BTreeMap<String, BlobRef>, Failure> {
        match self.worker.store.receipt(job).await.map_err(of_store)? {
            Some(receipt) if receipt.stage == stage => Ok(receipt.outputs),
            Some(receipt) => Err(invalid(format!(
                "job {job} is a {} job, not a {stage} job",
                receipt.stage
            ))),
            None => Err(Failure {
                class: FailureClass::Storage,
                message: format!("the receipt of job {job} is not in the bucket any more"),
            }),
        }
    }

    async fn output(&self, made: &BTreeMap<String, BlobRef>, name: String) -> Result<NamedBytes, Failure> {
        let Some(blob) = made.get(&name) else {
            return Err(invalid(format!("the job before has not made `{name}`")));
        };
        let bytes = self.worker.bytes(blob).await?;
        Ok(NamedBytes { name, bytes })
    }
}
