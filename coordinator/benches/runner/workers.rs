//! Workers that do nothing, at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::try_join_all;
use tokio::task::JoinHandle;
use vico::job::{
    Acquire, BlobRef, Completion, DeviceFacts, Grant, Introduction, Session, Stage, output_names,
};
use vico::protocol::{ClientError, LeasesClient};
use vico::store::Store;

/// Registered workers, each with a connection of its own.
pub(crate) struct Crew {
    workers: Vec<Worker>,
}

#[derive(Clone)]
struct Worker {
    client: LeasesClient,
    session: Session,
    slots: u32,
    /// What every job makes.
    picture: BlobRef,
}

impl Crew {
    pub(crate) async fn hire(url: &str, store: &Store, workers: usize, slots: u32) -> Result<Self> {
        let picture = store.put_blob("a picture".into()).await?;
        let hired = (0..workers).map(|number| Worker::register(url, number, slots, picture.clone()));
        let workers = try_join_all(hired).await?;
        Ok(Self { workers })
    }

    /// The first worker gets a job, and does it later; answers with when it got it.
    pub(crate) fn wait_for_one(&self) -> JoinHandle<Result<Instant>> {
        let worker = self.workers[0].clone();
        tokio::spawn(async move {
            let grants = worker.acquire(Duration::from_secs(10)).await?;
            let granted = Instant::now();
            worker.complete_all(&grants).await?;
            Ok(granted)
        })
    }

    /// All work until about `jobs` are done; answers with how many those were.
    pub(crate) async fn work(&self, jobs: usize) -> Result<usize> {
        let done = Arc::new(AtomicUsize::new(0));
        let all = self.workers.iter().map(|worker| {
            let (worker, done) = (worker.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while done.load(Ordering::Relaxed) < jobs {
                    let grants = worker.acquire(Duration::from_secs(1)).await?;
                    if grants.is_empty() {
                        break;
                    }
                    worker.complete_all(&grants).await?;
                    done.fetch_add(grants.len(), Ordering::Relaxed);
                }
                Ok::<_, anyhow::Error>(())
            })
        });
        for outcome in try_join_all(all).await? {
            outcome?;
        }
        Ok(done.load(Ordering::Relaxed))
    }
}

impl Worker {
    async fn register(url: &str, number: usize, slots: u32, picture: BlobRef) -> Result<Self> {
        let session = Session {
            worker: format!("worker-{number}").parse()?,
            nonce: format!("{number} of {slots} slots"),
        };
        let client = LeasesClient::new(url)?;
        client
            .register(Introduction {
                session: session.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                device: DeviceFacts::default(),
                slots,
                held: Vec::new(),
            })
            .await?;
        Ok(Self {
            client,
            session,
            slots,
            picture,
        })
    }

    async fn acquire(&self, wait: Duration) -> Result<Vec<Grant>, ClientError> {
        let ask = Acquire {
            session: self.session.clone(),
            max: self.slots,
            wait,
            at_hand: Vec::new(),
        };
        self.client.acquire(ask).await
    }

    async fn complete_all(&self, grants: &[Grant]) -> Result<(), ClientError> {
        try_join_all(grants.iter().map(|grant| self.complete(grant))).await?;
        Ok(())
    }

    async fn complete(&self, grant: &Grant) -> Result<(), ClientError> {
        let output = match grant.stage {
            Stage::Train => output_names::ADAPTER.to_owned(),
            _ => output_names::image(0, 0),
        };
        let completion = Completion {
            session: self.session.clone(),
            job: grant.job,
            lease: grant.lease,
            outputs: BTreeMap::from([(output, self.picture.clone())]),
            log: Vec::new(),
        };
        self.client.complete(completion).await
    }
}
