//! A sweep's end: receipts and score tables to the `results/<sweep>/` tree.

use std::collections::BTreeMap;

use tokio::task::JoinError;
use vico::ids::{JobKey, SweepId};
use vico::job::{Receipt, output_names};
use vico::plan::{Plan, Run};
use vico::report::{self, FailedJob, Photo, Record, Results, RunOutcome};
use vico::score::ScoreTable;
use vico::spec::{JobInputs, SampleInputs, prior_prompt};
use vico::store::{self, Content, ResultFile, Store};

use crate::aside::aside;

/// Results that could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The bucket cannot be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The tables cannot be made.
    #[error(transparent)]
    Report(#[from] report::Error),
    /// A score job's output is no score table.
    #[error("the scores of job {job} cannot be read")]
    Scores {
        /// The job.
        job: JobKey,
        /// Why not.
        source: serde_json::Error,
    },
    /// Making the tables panicked, or the program ends.
    #[error("the tables were not made to the end")]
    Interrupted(#[from] JoinError),
}

/// Writes everything there is of a sweep; what is missing is shown as missing. Can be repeated at will.
pub(crate) async fn publish(store: &Store, sweep: &SweepId, failures: Vec<FailedJob>) -> Result<(), Error> {
    let plan = Plan {
        jobs: store.jobs(sweep).await?,
        ..store.plan(sweep).await?
    };
    let receipts = store.receipts(plan.jobs.keys().copied()).await?;
    let mut runs = Vec::with_capacity(plan.runs.len());
    for run in &plan.runs {
        runs.push(outcome(store, &plan, run, &receipts).await?);
    }
    let record = Record {
        manifest: store.manifest(sweep).await?,
        lock: store.manifest_lock(sweep).await?,
        failures,
    };
    let of = sweep.clone();
    let results = aside(move || report::results(&of, &runs, &record)).await??;
    store.publish(sweep, files(results)).await?;
    Ok(())
}

fn files(results: Results) -> Vec<ResultFile> {
    let documents = results.documents.into_iter().map(|(path, bytes)| ResultFile {
        path,
        content: Content::Bytes(bytes.into()),
    });
    let copies = results.copies.into_iter().map(|(path, blob)| ResultFile {
        path,
        content: Content::Blob(blob),
    });
    copies.chain(documents).collect()
}

async fn outcome(
    store: &Store,
    plan: &Plan,
    run: &Run,
    receipts: &BTreeMap<JobKey, Receipt>,
) -> Result<RunOutcome, Error> {
    let score = run.score.and_then(|job| receipts.get(&job));
    let scores = match score {
        Some(receipt) => read_scores(store, receipt).await?,
        None => None,
    };
    let drawn = plan.jobs.get(&run.sample).and_then(|job| match &job.spec.inputs {
        JobInputs::Sample(inputs) => Some(inputs),
        JobInputs::ClassImages(_) | JobInputs::Train(_) | JobInputs::Score(_) => None,
    });
    Ok(RunOutcome {
        method: run.method.clone(),
        point: run.point.clone(),
        concept: run.concept.clone(),
        train_seed: run.train_seed,
        class: drawn
            .map(|inputs| inputs.concept.class.clone())
            .unwrap_or_default(),
        patterns: drawn.map(patterns).unwrap_or_default(),
        prompts: drawn.map(filled_prompts).unwrap_or_default(),
        prior_prompt: drawn
            .map(|inputs| prior_prompt(&inputs.concept.class))
            .unwrap_or_default(),
        images_per_prompt: drawn.map_or(0, |inputs| inputs.sampling.images_per_prompt),
        sample_seed: drawn.map_or(0, |inputs| inputs.sampling.seed),
        base: drawn.map(|inputs| inputs.base.identity),
        references: match drawn {
            Some(inputs) => photos(store, inputs).await?,
            None => Vec::new(),
        },
        is_measured: run.score.is_some(),
        class_images: run.class_images.and_then(|job| receipts.get(&job)).cloned(),
        is_trained: run.train.is_some(),
        train: run.train.and_then(|job| receipts.get(&job)).cloned(),
        sample: receipts.get(&run.sample).cloned(),
        score: score.cloned(),
        scores,
    })
}

/// The concept's photos that are still in the bucket.
async fn photos(store: &Store, inputs: &SampleInputs) -> Result<Vec<Photo>, Error> {
    let mut photos = Vec::with_capacity(inputs.concept.images.len());
    for image in &inputs.concept.images {
        let name = image.name.clone();
        photos.extend(
            store
                .find_blob(image.digest)
                .await?
                .map(|blob| Photo { name, blob }),
        );
    }
    Ok(photos)
}

async fn read_scores(store: &Store, receipt: &Receipt) -> Result<Option<ScoreTable>, Error> {
    let Some(blob) = receipt.outputs.get(output_names::SCORES) else {
        return Ok(None);
    };
    let bytes = store.blob(blob).await?;
    let job = receipt.job;
    let table = serde_json::from_slice(&bytes).map_err(|source| Error::Scores { job, source })?;
    Ok(Some(table))
}

fn patterns(inputs: &SampleInputs) -> Vec<String> {
    inputs.prompts.iter().map(|prompt| prompt.0.clone()).collect()
}

/// Prompts as the text encoder saw them.
fn filled_prompts(inputs: &SampleInputs) -> Vec<String> {
    let subject = inputs.method.subject_of(&inputs.concept);
    inputs
        .prompts
        .iter()
        .map(|prompt| prompt.fill(&subject, &inputs.concept.placeholder))
        .collect()
}
