//! From a manifest's text to a sweep that runs: read, resolve, plan, write the documents, take in.

mod loaded;
#[cfg(test)]
mod tests;
mod turns;

use loaded::Loaded;
use serde::Deserialize;
use vico::digest::Digest;
use vico::ids::{JobKey, SweepId};
use vico::job::JobState;
use vico::manifest::{self, Manifest, Origin};
use vico::plan::{self, Plan, PlanSummary, PlannedJob, Resolved};
use vico::protocol::{MAX_MANIFEST_BYTES, ManifestText, Refusal, RefusalKind};
use vico::store::{self, InputError, Store};

use crate::aside::aside;
use crate::core::{Command, NewJob, NewSweep};
use crate::handle::Handle;
use crate::memory;
use crate::rpc::of_bucket;

pub(crate) use turns::Turns;

/// A manifest that was not taken in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Too much text.
    #[error("the manifest has {size} bytes; at most {MAX_MANIFEST_BYTES} are accepted")]
    TooLarge {
        /// Bytes.
        size: usize,
    },
    /// The folder that relative paths start from.
    #[error(transparent)]
    Origin(#[from] manifest::InvalidOrigin),
    /// The manifest has mistakes.
    #[error(transparent)]
    Manifest(#[from] manifest::Errors),
    /// The text is not UTF-8, which the parser would have said.
    #[error("the manifest is not UTF-8")]
    NotText(#[from] std::str::Utf8Error),
    /// The program ends, or what was to be done panicked.
    #[error("reading the manifest or taking it in was interrupted")]
    Interrupted,
    /// What it names cannot be read, or not be kept.
    #[error(transparent)]
    Inputs(#[from] InputError),
    /// The bucket cannot be read or written.
    #[error(transparent)]
    Bucket(#[from] store::Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Inputs(InputError::Place(error @ store::Error::Unavailable { .. })) => {
                Self::new(RefusalKind::Unavailable, error.in_full())
            }
            // Named by the manifest, so the user can do something about it.
            Error::Inputs(InputError::Place(error)) => Self::new(RefusalKind::Invalid, error.in_full()),
            Error::Inputs(InputError::Bucket(error)) | Error::Bucket(error) => of_bucket(error),
            Error::Interrupted => Self::new(RefusalKind::Internal, error.to_string()),
            Error::TooLarge { .. } | Error::Origin(_) | Error::Manifest(_) | Error::NotText(_) => {
                Self::new(RefusalKind::Invalid, error.to_string())
            }
        }
    }
}

/// Plans without writing anything.
pub(crate) async fn plan(store: &Store, text: &ManifestText) -> Result<PlanSummary, Error> {
    let (manifest, origin) = read(text)?;
    let resolved = store.resolve(&plan::needs(&manifest, &origin)).await?;
    let plan = expand(manifest, origin, resolved).await?;
    let done = store.receipts(plan.jobs.keys().copied()).await?;
    Ok(plan.summary(&done.into_keys().collect()))
}

/// A manifest that is planned and not taken in yet.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    /// The manifest as it was written, and with every default filled in.
    manifest: [String; 2],
}

/// Plans, writes the documents that workers and reports read, and takes the sweep in. Answers whether it was there
/// before; then what it says of how its jobs run takes the place of what was said before.
pub(crate) async fn submit(
    handle: &Handle,
    store: &Store,
    text: &ManifestText,
) -> Result<(SweepId, bool), Refusal> {
    let prepared = prepare(store, text).await?;
    let sweep = prepared.plan.sweep.clone();
    let known = take_in(handle, store, prepared).await?;
    Ok((sweep, known))
}

/// Reference images are copied into the bucket, from where workers read them.
pub(crate) async fn prepare(store: &Store, text: &ManifestText) -> Result<Prepared, Error> {
    let (manifest, origin) = read(text)?;
    let resolved = store.import(&plan::needs(&manifest, &origin)).await?;
    let written = std::str::from_utf8(&text.bytes)?.to_owned();
    Ok(Prepared {
        manifest: [written, manifest.show_defaults()],
        plan: expand(manifest, origin, resolved).await?,
    })
}

/// A large plan takes a while.
async fn expand(manifest: Manifest, origin: Origin, resolved: Resolved) -> Result<Plan, Error> {
    let plan = aside(move || plan::expand(&manifest, &origin, &resolved));
    Ok(plan.await.map_err(|_| Error::Interrupted)??)
}

/// Can be repeated until it succeeds. Of two submissions of one sweep the second waits, or some documents would be of the one
/// and some of the other.
///
/// It goes on to its end once it has begun, whoever still waits for it: where a client hangs up, a write that is under way is not
/// taken back, and must not come after those of the next one.
pub(crate) async fn take_in(handle: &Handle, store: &Store, prepared: Prepared) -> Result<bool, Refusal> {
    let turn = handle.turns.of(&prepared.plan.sweep).await;
    let (handle, store) = (handle.clone(), store.clone());
    let taken_in = tokio::spawn(async move {
        let _turn = turn;
        take_in_now(&handle, &store, prepared).await
    });
    taken_in.await.map_err(|_| Refusal::from(Error::Interrupted))?
}

async fn take_in_now(handle: &Handle, store: &Store, mut prepared: Prepared) -> Result<bool, Refusal> {
    let id = prepared.plan.sweep.clone();
    let known = handle
        .look(move |brain, _| brain.state.sweep(&id).is_some())
        .await?;
    let done = if known {
        let renewed = renew_documents(store, &mut prepared).await;
        renewed.map_err(Error::from)?;
        // What it found done when it came in is history.
        Vec::new()
    } else {
        // Beside each other: a worker may be waiting.
        let (written, done) = tokio::join!(
            write_documents(store, &prepared),
            done(handle, store, &prepared.plan)
        );
        written.map_err(Error::from)?;
        done?
    };
    let jobs = prepared.plan.jobs.len();
    let sweep = new_sweep(prepared.plan, done);
    handle.command(Command::AddSweep(sweep)).await?;
    memory::give_back_after(jobs);
    Ok(known)
}

/// The jobs that have a receipt which this coordinator does not know of. Of those it saw succeed, the bucket need not be
/// asked.
async fn done(handle: &Handle, store: &Store, plan: &Plan) -> Result<Vec<JobKey>, Refusal> {
    let keys: Vec<JobKey> = plan.jobs.keys().copied().collect();
    let news = handle.look(move |brain, _| {
        let is_news = |key: &JobKey| {
            let state = brain.state.job(*key).map(|job| job.phase.state());
            state != Some(JobState::Succeeded)
        };
        keys.into_iter().filter(is_news).collect::<Vec<_>>()
    });
    let receipts = store.receipts(news.await?).await.map_err(Error::from)?;
    Ok(receipts.into_keys().collect())
}

fn read(text: &ManifestText) -> Result<(Manifest, Origin), Error> {
    let size = text.bytes.len();
    if size > MAX_MANIFEST_BYTES {
        return Err(Error::TooLarge { size });
    }
    let origin = text.origin.parse()?;
    let manifest = manifest::parse(&text.bytes, &text.file_name)?;
    Ok((manifest, origin))
}

async fn write_documents(store: &Store, prepared: &Prepared) -> Result<(), store::Error> {
    let sweep = &prepared.plan.sweep;
    let [written, resolved] = &prepared.manifest;
    // Beside each other: a worker may be waiting, and each of them waits for a disk.
    tokio::try_join!(
        store.put_manifest(sweep, written, resolved),
        store.put_jobs(sweep, &prepared.plan.jobs),
        store.put_plan(sweep, &prepared.plan),
    )?;
    Ok(())
}

/// The documents of a sweep that is there: where models lie and how often training is saved are no part of a job's key, so they
/// may say something new. The plan vouches for the jobs beside it, and for none while they are written.
async fn renew_documents(store: &Store, prepared: &mut Prepared) -> Result<(), store::Error> {
    let sweep = &prepared.plan.sweep;
    let [written, resolved] = &prepared.manifest;
    store.put_manifest(sweep, written, resolved).await?;
    let before = store.plan::<MadeOf>(sweep).await;
    let is_same = before.is_ok_and(|before| before.made_of == prepared.plan.made_of);
    // Whoever finds a page damaged deletes it, and submits the manifest again.
    if is_same && store.has_jobs(sweep, &prepared.plan.jobs).await? {
        return Ok(());
    }
    let made_of = prepared.plan.made_of.take();
    store.put_plan(sweep, &prepared.plan).await?;
    store.put_jobs(sweep, &prepared.plan.jobs).await?;
    prepared.plan.made_of = made_of;
    store.put_plan(&prepared.plan.sweep, &prepared.plan).await
}

/// As much of a plan's document as tells whether the others are still right.
#[derive(Deserialize)]
struct MadeOf {
    #[serde(default)]
    made_of: Option<Digest>,
}

fn new_sweep(plan: Plan, done: Vec<JobKey>) -> NewSweep {
    let mut loaded = Loaded::default();
    NewSweep {
        id: plan.sweep,
        name: plan.name,
        retry: plan.retry,
        scheduling: plan.scheduling,
        jobs: plan
            .jobs
            .into_iter()
            .map(|(key, job)| new_job(key, job, &mut loaded))
            .collect(),
        done,
    }
}

fn new_job(key: JobKey, job: PlannedJob, loaded: &mut Loaded) -> NewJob {
    NewJob {
        key,
        stage: job.stage(),
        models: loaded.models(&job.spec.inputs),
        outputs: job.spec.inputs.outputs(),
        label: job.label,
        upstream: job.upstream,
        resources: job.spec.resources,
    }
}
