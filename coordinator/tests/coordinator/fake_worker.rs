//! A worker that says all the right things and computes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use vico::job::{
    Acquire, BlobRef, Completion, DeviceFacts, FailedAttempt, Failure, FailureClass, Grant, HeldLease,
    Introduction, LeaseReport, Progress, Release, Renewal, Renewed, Session, Welcome, output_names,
};
use vico::protocol::{ClientError, LeasesClient};
use vico::score::{ScoreRow, ScoreTable};
use vico::spec::JobInputs;
use vico::store::Store;

#[derive(Clone)]
pub(crate) struct FakeWorker {
    pub(crate) session: Session,
    slots: u32,
    pub(crate) client: LeasesClient,
    store: Store,
}

impl FakeWorker {
    pub(crate) fn new(name: &str, slots: u32, client: LeasesClient, store: Store) -> Self {
        let session = Session {
            worker: name.parse().unwrap(),
            nonce: format!("{name} 1"),
        };
        Self {
            session,
            slots,
            client,
            store,
        }
    }

    /// The same process, talking to another coordinator.
    pub(crate) fn at(&self, client: LeasesClient) -> Self {
        Self {
            client,
            ..self.clone()
        }
    }

    pub(crate) async fn register(&self, held: &[&Grant]) -> Result<Welcome, ClientError> {
        let held = held.iter().map(|grant| HeldLease {
            job: grant.job,
            lease: grant.lease,
            attempt: grant.attempt,
        });
        let introduction = Introduction {
            session: self.session.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            device: DeviceFacts {
                name: "cpu".to_owned(),
                ..DeviceFacts::default()
            },
            slots: self.slots,
            held: held.collect(),
        };
        self.client.register(introduction).await
    }

    pub(crate) async fn acquire(&self, wait: Duration) -> Vec<Grant> {
        self.try_acquire(wait).await.unwrap()
    }

    pub(crate) async fn try_acquire(&self, wait: Duration) -> Result<Vec<Grant>, ClientError> {
        let session = self.session.clone();
        let ask = Acquire {
            session,
            max: self.slots,
            wait,
            at_hand: Vec::new(),
        };
        self.client.acquire(ask).await
    }

    /// The one job there is for it.
    pub(crate) async fn acquire_one(&self) -> Grant {
        let mut grants = self.acquire(Duration::from_secs(10)).await;
        assert_eq!(grants.len(), 1, "{grants:?}");
        grants.remove(0)
    }

    pub(crate) async fn renew(&self, grant: &Grant, log: &[&str]) -> Renewed {
        let report = LeaseReport {
            job: grant.job,
            lease: grant.lease,
            progress: Progress {
                done: 1,
                of: 4,
                note: "loss 0.5".to_owned(),
            },
            log: log.iter().map(ToString::to_string).collect(),
        };
        let session = self.session.clone();
        let reports = vec![report];
        self.client.renew(Renewal { session, reports }).await.unwrap()
    }

    pub(crate) async fn complete(&self, grant: &Grant) -> Result<(), ClientError> {
        let outputs = self.make_outputs(grant).await;
        self.complete_with(grant, outputs).await
    }

    pub(crate) async fn complete_with(
        &self,
        grant: &Grant,
        outputs: BTreeMap<String, BlobRef>,
    ) -> Result<(), ClientError> {
        let completion = Completion {
            session: self.session.clone(),
            job: grant.job,
            lease: grant.lease,
            outputs,
            log: vec!["done".to_owned()],
        };
        self.client.complete(completion).await
    }

    pub(crate) async fn fail(&self, grant: &Grant, class: FailureClass) -> Result<(), ClientError> {
        let message = "it broke".to_owned();
        let failed = FailedAttempt {
            session: self.session.clone(),
            job: grant.job,
            lease: grant.lease,
            failure: Failure { class, message },
            log: Vec::new(),
        };
        self.client.fail(failed).await
    }

    pub(crate) async fn leave(&self, grants: &[&Grant]) {
        let release = Release {
            session: self.session.clone(),
            leases: grants.iter().map(|grant| grant.lease).collect(),
            leaving: true,
        };
        self.client.release(release).await.unwrap();
    }

    /// Does whatever there is until there has been nothing for a second; answers with how many jobs that were.
    pub(crate) async fn work(&self) -> usize {
        let mut done = 0;
        loop {
            let grants = self.acquire(Duration::from_secs(1)).await;
            if grants.is_empty() {
                return done;
            }
            done += grants.len();
            let completions = grants.iter().map(|grant| self.complete(grant));
            for outcome in futures::future::join_all(completions).await {
                outcome.unwrap();
            }
        }
    }

    /// What the job should make, from thin air.
    pub(crate) async fn make_outputs(&self, grant: &Grant) -> BTreeMap<String, BlobRef> {
        let job = grant.job;
        let spec = self.store.spec(&grant.sweep, job).await.unwrap();
        let named: Vec<(String, Bytes)> = match &spec.inputs {
            JobInputs::ClassImages(inputs) => {
                let image = |number: usize| {
                    let name = output_names::class_image(number);
                    (name, Bytes::from(format!("class image {job} {number}")))
                };
                (0..inputs.count as usize).map(image).collect()
            }
            JobInputs::Train(_) => vec![(
                output_names::ADAPTER.to_owned(),
                Bytes::from(format!("adapter {job}")),
            )],
            JobInputs::Sample(inputs) => {
                let pairs = pairs(inputs.prompts.len(), inputs.sampling.images_per_prompt);
                let image = |(prompt, sample): (u32, u32)| {
                    let name = output_names::image(prompt as usize, sample as usize);
                    (name, Bytes::from(format!("image {job} {prompt} {sample}")))
                };
                pairs.into_iter().map(image).collect()
            }
            JobInputs::Score(inputs) => {
                let rows = pairs(inputs.prompts.len(), inputs.images_per_prompt);
                let row = |(prompt, sample)| ScoreRow {
                    prompt,
                    sample,
                    values: BTreeMap::from([("bench-v1/dino_i".to_owned(), 0.5)]),
                };
                let table = ScoreTable {
                    signatures: BTreeMap::from([("bench-v1/dino_i".to_owned(), "fake".to_owned())]),
                    rows: rows.into_iter().map(row).collect(),
                    totals: BTreeMap::new(),
                };
                vec![(
                    output_names::SCORES.to_owned(),
                    serde_json::to_vec(&table).unwrap().into(),
                )]
            }
        };
        let mut outputs = BTreeMap::new();
        for (name, bytes) in named {
            outputs.insert(name, self.store.put_blob(bytes).await.unwrap());
        }
        outputs
    }
}

fn pairs(prompts: usize, samples: u32) -> Vec<(u32, u32)> {
    let prompts = 0..prompts as u32;
    prompts
        .flat_map(|prompt| (0..samples).map(move |sample| (prompt, sample)))
        .collect()
}
