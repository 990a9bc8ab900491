//! Made-up sweeps and receipts.

use std::collections::BTreeMap;
use std::time::Duration;

use vico::clock::Timestamp;
use vico::digest::Digest;
use vico::ids::{JobKey, SweepId, WorkerId};
use vico::job::{DeviceFacts, Introduction, Outputs, Receipt, Resources, Session, Stage};
use vico::plan::{Backoff, RetryPolicy, Scheduling};

use crate::core::{Granted, NewJob, NewSweep};

/// The model that all jobs of a stage load.
pub(super) fn model(stage: Stage) -> Digest {
    let base = !matches!(stage, Stage::Score);
    Digest::of(if base { b"base" } else { b"evaluators" })
}

/// One run of a method: train, sample, score.
pub(crate) fn chain(sweep: &str, method: &str, run: usize) -> [NewJob; 3] {
    let key = |stage: Stage| JobKey(Digest::of(format!("{sweep}/{method}/{run}/{stage}").as_bytes()));
    let job = |stage: Stage, upstream: Option<Stage>| NewJob {
        key: key(stage),
        stage,
        label: format!("{method}@seed=0/concept_{run:06}/{stage}"),
        upstream: upstream.map(key).into_iter().collect(),
        resources: Resources::default(),
        models: vec![model(stage)],
        outputs: Outputs::Adapter,
    };
    [
        job(Stage::Train, None),
        job(Stage::Sample, Some(Stage::Train)),
        job(Stage::Score, Some(Stage::Sample)),
    ]
}

pub(crate) fn sweep(id: SweepId, jobs: Vec<NewJob>) -> NewSweep {
    NewSweep {
        name: id.to_string(),
        id,
        retry: RetryPolicy {
            attempts: 4,
            backoff: Backoff {
                initial: Duration::from_secs(10),
                factor: 2.0,
                max: Duration::from_mins(5),
            },
        },
        scheduling: Scheduling::default(),
        jobs,
        done: Vec::new(),
    }
}

pub(crate) fn introduction(worker: &WorkerId) -> Introduction {
    Introduction {
        session: Session {
            worker: worker.clone(),
            nonce: worker.to_string(),
        },
        version: env!("CARGO_PKG_VERSION").to_owned(),
        device: DeviceFacts::default(),
        slots: 1,
        held: Vec::new(),
    }
}

/// As if a worker had made what it was granted, in no time.
pub(crate) fn receipt(granted: &Granted, stage: Stage, at: Timestamp) -> Receipt {
    Receipt {
        job: granted.job,
        stage,
        outputs: BTreeMap::new(),
        upstream: Vec::new(),
        worker: granted.worker.clone(),
        device: DeviceFacts::default(),
        lease: granted.lease,
        attempt: granted.attempt,
        started: at,
        finished: at,
    }
}
