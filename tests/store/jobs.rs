//! Receipts, specs, plans, checkpoints and logs.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use vico::clock::Timestamp;
use vico::digest::Digest;
use vico::ids::{Attempt, JobKey, LeaseId, SweepId};
use vico::job::{BlobRef, DeviceFacts, Receipt, Resources, Stage};
use vico::spec::{ConceptInputs, EvaluatorInputs, JobInputs, JobSpec, ModelInputs, ScoreInputs, Sources};
use vico::store::{Committed, Error};

use crate::backends::on_every_backend;
use crate::s3::{Fault, FaultPlan, S3Server};

fn job(name: &str) -> JobKey {
    JobKey(Digest::of(name.as_bytes()))
}

fn receipt(job: JobKey, lease: u64) -> Receipt {
    let blob = BlobRef {
        digest: Digest::of(b"scores"),
        size: 6,
    };
    Receipt {
        job,
        stage: Stage::Score,
        outputs: BTreeMap::from([("scores.json".to_owned(), blob)]),
        upstream: Vec::new(),
        worker: "w1".parse().unwrap(),
        device: DeviceFacts::default(),
        lease: LeaseId(lease),
        attempt: Attempt(1),
        started: Timestamp(1),
        finished: Timestamp(2),
    }
}

fn inputs() -> JobInputs {
    let model = ModelInputs {
        identity: Digest::of(b"model"),
        variant: None,
        precision: None,
    };
    JobInputs::Score(ScoreInputs {
        algorithm: 1,
        sample: job("sample"),
        concept: Arc::new(ConceptInputs {
            id: "barn".parse().unwrap(),
            images: Vec::new(),
            class: "barn".to_owned(),
            initializer: "barn".to_owned(),
            placeholder: "*".to_owned(),
        }),
        prompts: [].into(),
        images_per_prompt: 1,
        prior_images: 0,
        evaluators: EvaluatorInputs {
            clip: model.clone(),
            dino: model,
            lpips: None,
        },
        protocols: vec!["bench-v1".to_owned()],
    })
}

#[tokio::test]
async fn the_first_receipt_stays() {
    on_every_backend(async |store| {
        let (first, second) = (receipt(job("a"), 1), receipt(job("a"), 2));
        assert_eq!(store.receipt(job("a")).await.unwrap(), None);
        assert_eq!(store.commit_receipt(&first).await.unwrap(), Committed::Now);
        assert_eq!(
            store.commit_receipt(&first).await.unwrap(),
            Committed::Now,
            "the same again"
        );
        let before = Committed::Before(Box::new(first.clone()));
        assert_eq!(store.commit_receipt(&second).await.unwrap(), before);
        assert_eq!(store.receipt(job("a")).await.unwrap(), Some(first));
    })
    .await;
}

#[tokio::test]
async fn of_racing_receipts_one_is_committed() {
    on_every_backend(async |store| {
        let receipts: Vec<Receipt> = (0..8).map(|lease| receipt(job("raced"), lease)).collect();
        let commits = receipts.iter().map(|receipt| store.commit_receipt(receipt));
        let outcomes = futures::future::join_all(commits).await;
        let now = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Ok(Committed::Now)))
            .count();
        assert_eq!(now, 1, "{outcomes:?}");
    })
    .await;
}

#[tokio::test]
async fn a_lost_reply_does_not_make_a_receipt_somebody_elses() {
    let server = S3Server::start(FaultPlan::none()).await;
    let store = server.store("").await;
    for fault in [Fault::ReplyLost, Fault::DroppedBefore, Fault::Unavailable] {
        let receipt = receipt(job(&format!("{fault:?}")), 1);
        server.faults().order(hyper::Method::PUT, "receipt.json", fault);
        assert_eq!(
            store.commit_receipt(&receipt).await.unwrap(),
            Committed::Now,
            "{fault:?}"
        );
    }
    assert_eq!(server.faults().injected(), 3);
}

#[tokio::test]
async fn only_done_jobs_have_receipts() {
    on_every_backend(async |store| {
        let jobs: Vec<JobKey> = (0..50).map(|i| job(&i.to_string())).collect();
        for job in jobs.iter().step_by(5) {
            store.commit_receipt(&receipt(*job, 1)).await.unwrap();
        }
        let found = store.receipts(jobs.clone()).await.unwrap();
        let mut expected: Vec<JobKey> = jobs.into_iter().step_by(5).collect();
        expected.sort();
        assert_eq!(found.into_keys().collect::<Vec<_>>(), expected);
    })
    .await;
}

#[tokio::test]
async fn a_spec_is_what_its_key_says() {
    on_every_backend(async |store| {
        let spec = JobSpec {
            inputs: inputs(),
            sources: Sources::default(),
            resources: Resources::default(),
            checkpoint_every: 50,
        };
        let key = spec.inputs.key().unwrap();
        let sweep: SweepId = "s-00000001".parse().unwrap();
        let line = serde_json::json!({"spec": spec, "label": "a"});
        let jobs: BTreeMap<_, _> = [key, job("another")].map(|key| (key, line.clone())).into();
        store.put_jobs(&sweep, &jobs).await.unwrap();
        assert_eq!(store.spec(&sweep, key).await.unwrap(), spec);
        assert_eq!(store.jobs(&sweep).await.ok(), Some(jobs));
        assert!(matches!(
            store.spec(&sweep, job("another")).await,
            Err(Error::Corrupt { .. })
        ));
        assert!(matches!(
            store.spec(&sweep, job("unknown")).await,
            Err(Error::NotFound { .. })
        ));
    })
    .await;
}

#[tokio::test]
async fn sweeps_are_listed_with_their_manifests_and_plans() {
    on_every_backend(async |store| {
        let ids: Vec<SweepId> = ["b-00000002", "a-00000001"]
            .map(|id| id.parse().unwrap())
            .to_vec();
        for id in &ids {
            store
                .put_manifest(id, "version: 1\n", "version: 1\nname: x\n")
                .await
                .unwrap();
            store.put_plan(id, &vec![1, 2, 3]).await.unwrap();
        }
        let listed = store.sweeps().await.unwrap();
        assert_eq!(listed, [ids[1].clone(), ids[0].clone()]);
        assert_eq!(store.manifest(&ids[0]).await.unwrap(), "version: 1\n");
        assert_eq!(store.plan::<Vec<u32>>(&ids[0]).await.unwrap(), [1, 2, 3]);
    })
    .await;
}

#[tokio::test]
async fn the_furthest_checkpoint_is_the_latest() {
    on_every_backend(async |store| {
        let job = job("train");
        assert!(store.latest_checkpoint(&[]).await.unwrap().is_none());
        for (step, lease) in [(100, 1), (200, 1), (200, 12), (150, 3)] {
            let state = Bytes::from(format!("{step} under {lease}"));
            store
                .put_checkpoint(job, step, LeaseId(lease), state)
                .await
                .unwrap();
        }
        let found = store.checkpoints(job).await.unwrap();
        let (latest, state) = store.latest_checkpoint(&found).await.unwrap().unwrap();
        assert_eq!(
            (latest.step, latest.lease, state),
            (200, LeaseId(12), Bytes::from("200 under 12"))
        );
        store.trim_checkpoints(&latest, 2, &[]).await.unwrap();
        let left = store.checkpoints(job).await.unwrap();
        assert_eq!(left.iter().map(|c| c.lease.0).collect::<Vec<_>>(), [1, 12]);
        store.delete_checkpoints(job).await.unwrap();
        assert!(store.checkpoints(job).await.unwrap().is_empty());
    })
    .await;
}

/// An attempt that could not continue from what earlier ones left keeps its own, and lets later ones have theirs.
#[tokio::test]
async fn checkpoints_that_were_left_behind_give_way_to_a_new_beginning() {
    on_every_backend(async |store| {
        let job = job("train");
        let put = async |step: u64, lease: u64| {
            let state = Bytes::from(format!("{step} under {lease}"));
            let stored = store.put_checkpoint(job, step, LeaseId(lease), state).await;
            stored.unwrap()
        };
        for (step, lease) in [(900, 1), (950, 2), (1000, 2), (40, 9)] {
            put(step, lease).await;
        }
        let found = store.checkpoints(job).await.unwrap();
        // An attempt that still runs is as far as this.
        put(700, 4).await;
        let mut left = Vec::new();
        for step in [10, 20, 30] {
            let latest = put(step, 5).await;
            store.trim_checkpoints(&latest, 2, &found).await.unwrap();
            let all = store.checkpoints(job).await.unwrap();
            left.push(all.iter().map(|c| (c.step, c.lease.0)).collect::<Vec<_>>());
        }
        assert_eq!(left[0], [(10, 5), (40, 9), (700, 4)]);
        assert_eq!(left[1], [(10, 5), (20, 5), (40, 9), (700, 4)]);
        assert_eq!(left[2], [(20, 5), (30, 5), (40, 9), (700, 4)]);
    })
    .await;
}

#[tokio::test]
async fn logs_grow_by_being_replaced() {
    on_every_backend(async |store| {
        let job = job("train");
        assert_eq!(store.log(job, Attempt(1)).await.unwrap(), None);
        store.put_log(job, Attempt(10), "ten\n").await.unwrap();
        store.put_log(job, Attempt(2), "one\n").await.unwrap();
        store.put_log(job, Attempt(2), "one\ntwo\n").await.unwrap();
        assert_eq!(
            store.log(job, Attempt(2)).await.unwrap().as_deref(),
            Some("one\ntwo\n")
        );
        assert_eq!(
            store.logged_attempts(job).await.unwrap(),
            [Attempt(2), Attempt(10)]
        );
    })
    .await;
}
