//! A worker's life: register, take work while there are free slots, leave in good order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use vico::job::{Acquire, Grant, Introduction, Session};
use vico::protocol::{ClientError, LeasesClient};
use vico::store::Store;

use crate::at_hand::AtHand;
use crate::backoff::Backoff;
use crate::cache::Cache;
use crate::device::ComputeDevice;
use crate::engine::thread::MakeEngine;
use crate::lease::{Lease, Leases};
use crate::leave::Leave;
use crate::link::Link;
use crate::meters::Meters;
use crate::models::Verified;
use crate::pages::Pages;
use crate::slots::{Slot, Slots};
use crate::tracer::Tracer;
use crate::worker::Worker;
use crate::{Config, attempt, refused, renew};

/// How long the coordinator may hold a request for work back.
const POLL: Duration = Duration::from_secs(20);
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(3);

/// What a worker computes on and with; tests put a scripted engine here.
#[derive(Clone)]
pub struct Parts {
    /// Where it computes, and what the coordinator is told of that.
    pub device: ComputeDevice,
    /// Makes an engine for each slot.
    pub make_engine: MakeEngine,
}

/// Works until `stop`, or until the coordinator asks the worker to leave.
///
/// # Errors
/// The cache or bucket cannot be used; the coordinator refuses this worker, at its start or later; or the GPU works no more.
pub async fn run(config: Config, parts: Parts, stop: CancellationToken) -> anyhow::Result<()> {
    let leave = Leave::new(stop.child_token());
    let meters = Meters::default();
    let _pages = match config.http {
        Some(address) => Some(Pages::open(address, meters.clone(), parts.device.gpu.clone()).await?),
        None => None,
    };
    let opened = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        opened = open(&config, &parts, meters, leave) => opened?,
    };
    let bucket = opened.link.welcome().await.bucket;
    let tracer = Tracer::new(config.traces.clone(), bucket);
    let worker = Arc::new(Worker { tracer, ..opened });
    let slots = Slots::start(config.slots, &parts.make_engine).context("cannot start an engine thread")?;
    work(&worker, &slots, config.grace).await;
    match worker.leave.trouble() {
        Some(trouble) => bail!("{trouble}"),
        None => Ok(()),
    }
}

/// Takes jobs until the worker must leave, and renews its leases until the last is given back.
async fn work(worker: &Arc<Worker>, slots: &Slots, grace: Duration) {
    let done = CancellationToken::new();
    let mut renewing = JoinSet::new();
    renewing.spawn({
        let (worker, done) = (Arc::clone(worker), done.clone());
        async move { renew::keep_alive(&worker.link, &worker.leave, &done).await }
    });
    let mut attempts = JoinSet::new();
    worker.meters.set_at_work(true);
    take_work(worker, slots, &mut attempts).await;
    worker.meters.set_at_work(false);
    say_goodbye(worker, attempts, grace).await;
    done.cancel();
    renewing.join_all().await;
}

async fn open(config: &Config, parts: &Parts, meters: Meters, leave: Leave) -> anyhow::Result<Worker> {
    let cache = Cache::open(&config.cache, config.cache_size)?;
    let introduction = Introduction {
        session: Session {
            worker: config.name.clone(),
            nonce: nonce(),
        },
        version: env!("CARGO_PKG_VERSION").to_owned(),
        device: parts.device.facts.clone(),
        slots: config.slots,
        held: Vec::new(),
    };
    let client = LeasesClient::new(&config.coordinator)?;
    let link = Link::open(client, introduction, Leases::default(), leave.clone())
        .await
        .map_err(refused::at_the_door)?;
    let url = match &config.bucket {
        Some(url) => url.clone(),
        None => link.welcome().await.bucket,
    };
    let store = Store::open(&url).await.context("cannot use the bucket")?;
    Ok(Worker {
        link,
        store: store.witnessed(Arc::new(meters.traffic.clone())),
        cache,
        verified: Verified::default(),
        at_hand: AtHand::default(),
        tracer: Tracer::default(),
        meters,
        patience: config.patience,
        on_gpu: parts.device.gpu.is_some(),
        leave,
    })
}

/// Something no other start of any worker has.
fn nonce() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let word = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", word(), word())
}

/// Takes work whenever a slot is free, until the worker must leave.
async fn take_work(worker: &Arc<Worker>, slots: &Slots, attempts: &mut JoinSet<()>) {
    let mut backoff = Backoff::default();
    loop {
        // A request under way is dropped when the worker must leave: what it might have brought is given back with the
        // goodbye.
        let taken = tokio::select! {
            biased;
            () = worker.leave.asked() => return,
            taken = acquire(worker, slots) => taken,
        };
        match taken {
            Ok(started) => {
                backoff = Backoff::default();
                for (grant, slot) in started {
                    start(worker, grant, slot, attempts);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "no work");
                tokio::select! {
                    () = worker.leave.asked() => return,
                    () = backoff.wait() => {}
                }
            }
        }
        while let Some(ended) = attempts.try_join_next() {
            note_a_panic(ended);
        }
    }
}

/// Waits for a free slot, then asks for as many jobs as there are free slots.
async fn acquire(worker: &Worker, slots: &Slots) -> Result<Vec<(Grant, Slot)>, ClientError> {
    let free = slots.take_free().await;
    let ask = Acquire {
        session: worker.link.session(),
        max: free.len() as u32,
        wait: POLL,
        at_hand: worker.at_hand.list(),
    };
    let grants = worker.link.call(|client| {
        let ask = ask.clone();
        async move { client.acquire(ask).await }
    });
    let grants = grants.await?;
    Ok(grants.into_iter().zip(free).collect())
}

fn start(worker: &Arc<Worker>, grant: Grant, mut slot: Slot, attempts: &mut JoinSet<()>) {
    let span = tracing::info_span!(
        "attempt",
        sweep = %grant.sweep,
        job = %grant.job.0.short(),
        attempt = %grant.attempt,
        worker = %worker.link.session().worker,
        stage = %grant.stage,
    );
    span.in_scope(|| tracing::info!("job taken"));
    let lease = Lease::new(grant);
    worker.link.leases().add(&lease);
    let worker = Arc::clone(worker);
    let doing = async move { attempt::run(&worker, lease, &mut slot).await };
    attempts.spawn(doing.instrument(span));
}

/// An attempt that panicked says nothing to the coordinator: its lease, which nobody renews any more, runs out.
fn note_a_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "an attempt broke off");
    }
}

/// Waits for the attempts to save what they have, then gives back whatever is still held.
async fn say_goodbye(worker: &Worker, mut attempts: JoinSet<()>, grace: Duration) {
    let saved = async {
        while let Some(ended) = attempts.join_next().await {
            note_a_panic(ended);
        }
    };
    let late = tokio::time::timeout(grace, saved).await.is_err();
    // Before those that are late are broken off, which forgets their leases.
    let held = worker.link.leases().held();
    if late {
        tracing::warn!(?grace, "leaving with unfinished attempts");
        attempts.shutdown().await;
    }
    let held = held.into_iter().map(|held| held.lease).collect();
    let goodbye = worker.link.release(held, true);
    match tokio::time::timeout(GOODBYE, goodbye).await {
        Ok(Ok(())) => tracing::info!("left"),
        Ok(Err(error)) => tracing::warn!(%error, "left without a goodbye"),
        Err(_) => tracing::warn!("left without a goodbye: the coordinator does not answer"),
    }
}
