//! Whose fault it is that a manifest is not taken in, what of a plan placement goes by, and what two submissions leave.
#![expect(clippy::unwrap_used, reason = "tests say what they expect")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use vico::job::Resources;
use vico::plan::{Backoff, RetryPolicy, Scheduling};
use vico::spec::{ClassImagesInputs, JobInputs, JobSpec, ModelInputs, Precision, Sources, algorithm};
use vico::store::{Fate, FateOutcome, LongestTail, SharedMemory, Unneeded, Weather};

use super::*;
use crate::config::Parts;
use crate::metrics::Meters;
use crate::office::{Office, Opening};

fn refused(key: &str) -> store::Error {
    store::Error::Refused {
        key: key.to_owned(),
        source: "403 Forbidden".into(),
    }
}

#[test]
fn the_manifest_is_blamed_for_what_it_names_and_for_nothing_else() {
    let photos = Refusal::from(Error::from(InputError::Place(refused("s3://photos/duck"))));
    assert_eq!(photos.kind, RefusalKind::Invalid);
    assert!(
        photos.message.starts_with(
            "the storage refused access to s3://photos/duck: 403 Forbidden (check the credentials"
        ),
        "{photos}"
    );
    let silent = Refusal::from(Error::from(InputError::Place(store::Error::Unavailable {
        key: "s3://photos/duck".to_owned(),
        source: "503 Slow Down".into(),
    })));
    assert_eq!(silent.kind, RefusalKind::Unavailable, "it may answer later");
    let copied = Refusal::from(Error::from(InputError::Bucket(refused("s3://ours/blobs"))));
    let written = Refusal::from(Error::from(refused("s3://ours/sweeps")));
    assert_eq!(
        [copied.kind, written.kind],
        [RefusalKind::Unavailable, RefusalKind::Unavailable]
    );
    let what = "s3://ours/jobs/ab/receipt.json".to_owned();
    let gone = Refusal::from(Error::from(store::Error::NotFound { what }));
    assert_eq!(gone.kind, RefusalKind::Internal);
}

fn drawing_with(base: ModelInputs) -> JobInputs {
    JobInputs::ClassImages(ClassImagesInputs {
        algorithm: algorithm::CLASS_IMAGES,
        base,
        prompt: "a photo of a toy".to_owned(),
        count: 1,
        steps: 1,
        guidance: 7.5,
        eta: 0.0,
        size: 64,
        seed: 0,
    })
}

#[test]
fn only_the_network_in_the_jobs_precision_is_all_that_it_loads() {
    let base = |precision| ModelInputs {
        identity: Digest::of(b"base"),
        variant: None,
        precision,
    };
    let bases = [None, Some(Precision::F32), Some(Precision::Bf16)].map(base);
    for asked in &bases {
        let models = Loaded::default().models(&drawing_with(asked.clone()));
        assert!(models.contains(&asked.identity), "its files count");
        for kept in &bases {
            let has_all = models.iter().all(|model| kept.loaded().contains(model));
            assert_eq!(has_all, asked == kept, "{asked:?} on a worker with {kept:?}");
        }
    }
}

/// A sweep of one job, submitted with so many attempts a job.
fn submission(attempts: u32) -> Prepared {
    let base = ModelInputs {
        identity: Digest::of(b"base"),
        variant: None,
        precision: None,
    };
    let spec = JobSpec {
        inputs: drawing_with(base),
        sources: Sources::default(),
        resources: Resources::default(),
        checkpoint_every: 0,
    };
    let job = PlannedJob {
        spec,
        label: "toy/class_images".to_owned(),
        upstream: Vec::new(),
    };
    let backoff = Backoff {
        initial: Duration::from_secs(1),
        factor: 2.0,
        max: Duration::from_mins(1),
    };
    let written = attempts.to_string();
    let plan = Plan {
        sweep: "s".parse().unwrap(),
        name: "s".to_owned(),
        runs: Vec::new(),
        jobs: BTreeMap::from([(JobKey(Digest::of(b"job")), job)]),
        retry: RetryPolicy { attempts, backoff },
        scheduling: Scheduling::default(),
        input_bytes: 0,
        made_of: Some(Digest::of(written.as_bytes())),
    };
    Prepared {
        plan,
        manifest: [written.clone(), written],
    }
}

/// A bucket that takes its time with the first manifest it is given.
#[derive(Debug, Default)]
struct SlowBeginning(AtomicBool);

impl Weather for SlowBeginning {
    fn next(&self, key: &str, is_write: bool) -> Fate {
        let is_manifest = is_write && key.ends_with("/manifest.yaml");
        let is_slow = is_manifest && !self.0.swap(true, Ordering::SeqCst);
        Fate {
            after: Duration::from_secs(if is_slow { 10 } else { 0 }),
            outcome: FateOutcome::Done,
        }
    }
}

async fn coordinator(store: &Store) -> (Handle, DropGuard) {
    let opening = Opening {
        parts: Parts::new(store.clone()),
        writer: "test",
        lease_ttl: Duration::from_secs(30),
        longest_tail: LongestTail::default(),
        meters: Meters::default(),
    };
    let office = Office::open(opening).await.unwrap();
    let stop = CancellationToken::new();
    let staff = office.start(stop.clone());
    let handle = staff.handle.clone();
    tokio::spawn(staff.work());
    (handle, stop.drop_guard())
}

#[tokio::test(start_paused = true)]
async fn of_two_submissions_at_the_same_moment_the_second_counts() {
    let store = SharedMemory::default().under(Arc::new(SlowBeginning::default()));
    let (handle, _stop) = coordinator(&store).await;
    let other = handle.clone();
    let (first, second) = tokio::join!(
        take_in(&handle, &store, submission(1)),
        take_in(&other, &store, submission(2)),
    );
    assert_eq!((first, second), (Ok(false), Ok(true)));
    assert_whole(&handle, &store, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_submission_whose_client_hangs_up_is_taken_in_before_the_next_one() {
    let store = SharedMemory::default().under(Arc::new(SlowBeginning::default()));
    let (handle, _stop) = coordinator(&store).await;
    let first = timeout(Duration::from_secs(1), take_in(&handle, &store, submission(1)));
    assert!(first.await.is_err(), "its manifest is still on its way");
    let second = take_in(&handle, &store, submission(2)).await;
    assert_eq!(second, Ok(true), "the sweep was there");
    assert_whole(&handle, &store, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_page_of_jobs_that_is_gone_is_written_again() {
    let store = Store::in_memory();
    let (handle, _stop) = coordinator(&store).await;
    assert_eq!(take_in(&handle, &store, submission(1)).await, Ok(false));
    let job = JobKey(Digest::of(b"job"));
    let page = Unneeded {
        key: format!("sweeps/s/jobs/{}.zst", &job.to_string()[..2]),
        size: 0,
    };
    store.delete_unneeded(&[page]).await.unwrap();
    let sweep: SweepId = "s".parse().unwrap();
    assert!(store.jobs::<PlannedJob>(&sweep).await.unwrap().is_empty());
    assert_eq!(take_in(&handle, &store, submission(1)).await, Ok(true));
    assert!(store.jobs::<PlannedJob>(&sweep).await.unwrap().contains_key(&job));
}

/// All there is of the sweep is of the submission with so many attempts.
async fn assert_whole(handle: &Handle, store: &Store, attempts: u32) {
    let sweep: SweepId = "s".parse().unwrap();
    let manifest = store.manifest(&sweep).await.unwrap();
    let plan: Plan = store.plan(&sweep).await.unwrap();
    let known = handle.look(move |brain, _| brain.state.sweep(&sweep).map(|sweep| sweep.retry.attempts));
    assert_eq!(
        (manifest, plan.retry.attempts, known.await.unwrap()),
        (attempts.to_string(), attempts, Some(attempts))
    );
}
