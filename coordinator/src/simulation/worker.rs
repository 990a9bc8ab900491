//! Workers: they train for a while, upload, and report; they crash, hang, are cut off, and come back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vico::ids::{LeaseId, WorkerId};
use vico::job::{
    Acquire, BlobRef, Completion, DeviceFacts, FailedAttempt, Failure, FailureClass, Grant, HeldLease,
    Introduction, LeaseReport, Progress, Release, Renewal, Session,
};
use vico::protocol::{Refusal, RefusalKind};
use vico::store::Store;

use super::LEASE_TTL;
use super::chance::Chance;
use super::plans::outputs_of;
use super::town::Town;
use super::weather::RoughWeather;

const SLOTS: u32 = 2;
const POLL: Duration = Duration::from_secs(20);

/// One machine: processes of one name, one after the other.
pub(super) async fn machine(town: Arc<Town>, name: &'static str) {
    let mut chance = town.chance(name);
    for start in 0.. {
        let process = Process::new(&town, name, start);
        let life = chance.seconds(20, 500);
        tokio::select! {
            biased;
            () = process.clone().live() => town.tell(format!("{name} {start} left")),
            () = town.kill_after(life) => town.tell(format!("{name} {start} was killed")),
        }
        sleep(chance.millis(500, 30_000)).await;
    }
}

type Held = BTreeMap<LeaseId, Running>;

/// An attempt under way.
struct Running {
    grant: Grant,
    stop: CancellationToken,
    begun: Instant,
    takes: Duration,
}

#[derive(Clone)]
struct Process {
    town: Arc<Town>,
    store: Store,
    session: Session,
    held: Arc<Mutex<Held>>,
}

impl Process {
    fn new(town: &Arc<Town>, name: &str, start: u64) -> Self {
        Self {
            town: Arc::clone(town),
            store: town
                .bucket
                .under(RoughWeather::new(town, &format!("{name} {start}"), None)),
            session: Session {
                worker: name.parse().unwrap(),
                nonce: format!("{name} {start}"),
            },
            held: Arc::default(),
        }
    }

    fn chance(&self, of: &str) -> Chance {
        self.town.chance(&format!("{} {of}", self.session.nonce))
    }

    /// Until it is told that a later process has its name.
    async fn live(self) {
        let mut chance = self.chance("life");
        if !self.register(&mut chance).await {
            return;
        }
        tokio::select! {
            biased;
            () = self.clone().renew() => {}
            () = self.take_work(chance) => {}
        }
    }

    /// False if this process is not wanted any more.
    async fn register(&self, chance: &mut Chance) -> bool {
        loop {
            let who = self.introduction();
            let answer = self.town.call(chance, move |door| {
                let who = who.clone();
                async move { door.register(who).await }
            });
            match answer.await {
                Ok(welcome) => {
                    self.drop_leases(&welcome.revoked);
                    return true;
                }
                Err(refusal) if refusal.kind == RefusalKind::Unavailable => {
                    sleep(chance.millis(200, 4000)).await;
                }
                Err(_) => return false,
            }
        }
    }

    fn introduction(&self) -> Introduction {
        let held = self.leases().into_iter().map(|grant| HeldLease {
            job: grant.job,
            lease: grant.lease,
            attempt: grant.attempt,
        });
        Introduction {
            session: self.session.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            device: DeviceFacts::default(),
            slots: SLOTS,
            held: held.collect(),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leases(&self) -> Vec<Grant> {
        let held = self.held();
        held.values().map(|running| running.grant.clone()).collect()
    }

    fn drop_leases(&self, revoked: &[LeaseId]) {
        let mut held = self.held();
        for lease in revoked {
            if let Some(running) = held.remove(lease) {
                running.stop.cancel();
            }
        }
    }

    async fn renew(self) {
        let mut chance = self.chance("renewals");
        loop {
            sleep(LEASE_TTL / 3).await;
            if chance.happens(0.02) && !self.town.is_calm() {
                // Stopped for a while, or cut off.
                sleep(chance.seconds(10, 120)).await;
            }
            let renewal = Renewal {
                session: self.session.clone(),
                reports: self.held().values().map(report).collect(),
            };
            let answer = self.town.call(&mut chance, move |door| {
                let renewal = renewal.clone();
                async move { door.renew(renewal).await }
            });
            match answer.await {
                Ok(renewed) => {
                    let revoked: Vec<LeaseId> = renewed.revoked.iter().map(|gone| gone.lease).collect();
                    self.drop_leases(&revoked);
                }
                Err(refusal) if refusal.kind == RefusalKind::UnknownSession => {
                    if !self.register(&mut chance).await {
                        return;
                    }
                }
                Err(_) => {}
            }
        }
    }

    async fn take_work(self, mut chance: Chance) {
        let mut attempts = JoinSet::new();
        loop {
            while attempts.try_join_next().is_some() {}
            let free = SLOTS - self.leases().len().min(SLOTS as usize) as u32;
            if free == 0 {
                sleep(Duration::from_millis(500)).await;
                continue;
            }
            let ask = Acquire {
                session: self.session.clone(),
                max: free,
                wait: POLL,
                at_hand: Vec::new(),
            };
            let answer = self.town.call(&mut chance, move |door| {
                let ask = ask.clone();
                async move { door.acquire(ask).await }
            });
            match answer.await {
                Ok(grants) => {
                    for grant in grants {
                        self.town.truth.granted(&grant, &self.session.worker);
                        attempts.spawn(self.clone().attempt(grant));
                    }
                }
                Err(refusal) if refusal.kind == RefusalKind::UnknownSession => {
                    if !self.register(&mut chance).await {
                        return;
                    }
                }
                Err(_) => sleep(chance.millis(200, 3000)).await,
            }
        }
    }

    /// Does a job, as long as the lease is good.
    async fn attempt(self, grant: Grant) {
        let stop = CancellationToken::new();
        let lease = grant.lease;
        let mut chance = self.chance(&format!("lease {lease}"));
        let mut takes = chance.seconds(1, 40);
        if chance.happens(0.03) && !self.town.is_calm() {
            takes += chance.seconds(60, 400);
        }
        let running = Running {
            grant: grant.clone(),
            stop: stop.clone(),
            begun: Instant::now(),
            takes,
        };
        self.held().insert(lease, running);
        self.town.tell(format!(
            "{} began {} under lease {lease}",
            self.session.nonce,
            grant.job.0.short()
        ));
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.work(&grant, takes, chance) => {}
        }
        self.held().remove(&lease);
    }

    async fn work(&self, grant: &Grant, takes: Duration, mut chance: Chance) {
        sleep(takes).await;
        let rough = !self.town.is_calm();
        if rough && chance.happens(0.08) {
            let class = *chance.pick(&FailureClass::ALL);
            return self.fail(grant, class, &mut chance).await;
        }
        if rough && chance.happens(0.03) {
            return self.give_back(grant, &mut chance).await;
        }
        let mut outputs = BTreeMap::new();
        for name in outputs_of(grant.job) {
            outputs.insert(name.clone(), self.upload(grant, &name).await);
        }
        self.complete(grant, outputs, &mut chance).await;
    }

    /// Every attempt at a job makes the same bytes.
    async fn upload(&self, grant: &Grant, name: &str) -> BlobRef {
        let bytes = Bytes::from(format!("{name} of {}", grant.job));
        loop {
            match self.store.put_blob(bytes.clone()).await {
                Ok(blob) => return blob,
                Err(_) => sleep(Duration::from_secs(2)).await,
            }
        }
    }

    async fn complete(&self, grant: &Grant, outputs: BTreeMap<String, BlobRef>, chance: &mut Chance) {
        let done = Completion {
            session: self.session.clone(),
            job: grant.job,
            lease: grant.lease,
            outputs,
            log: vec!["done".to_owned()],
        };
        let answer = self.insist(chance, move |door| {
            let done = done.clone();
            async move { door.complete(done).await }
        });
        if answer.await.is_ok() {
            self.town.truth.completed(grant.job);
            self.town.tell(format!(
                "{} was told that {} is done",
                self.session.nonce,
                grant.job.0.short()
            ));
        }
    }

    async fn fail(&self, grant: &Grant, class: FailureClass, chance: &mut Chance) {
        let failed = FailedAttempt {
            session: self.session.clone(),
            job: grant.job,
            lease: grant.lease,
            failure: Failure {
                class,
                message: "by chance".to_owned(),
            },
            log: Vec::new(),
        };
        let answer = self.insist(chance, move |door| {
            let failed = failed.clone();
            async move { door.fail(failed).await }
        });
        drop(answer.await);
    }

    async fn give_back(&self, grant: &Grant, chance: &mut Chance) {
        let release = Release {
            session: self.session.clone(),
            leases: vec![grant.lease],
            leaving: false,
        };
        let answer = self.insist(chance, move |door| {
            let release = release.clone();
            async move { door.release(release).await }
        });
        drop(answer.await);
    }

    /// Asks again until there is an answer that counts.
    async fn insist<A>(
        &self,
        chance: &mut Chance,
        request: impl Fn(crate::handle::Handle) -> A,
    ) -> Result<(), Refusal>
    where
        A: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        loop {
            match self.town.call(chance, &request).await {
                Err(refusal)
                    if matches!(
                        refusal.kind,
                        RefusalKind::Unavailable | RefusalKind::UnknownSession
                    ) =>
                {
                    sleep(chance.millis(500, 5000)).await;
                }
                // A coordinator that was overtaken and does not know it yet may not know the job either.
                Err(refusal) if !matches!(refusal.kind, RefusalKind::StaleLease | RefusalKind::NotFound) => {
                    let worker: &WorkerId = &self.session.worker;
                    self.town
                        .truth
                        .break_with(format!("{worker} was refused: {refusal}"));
                    return Err(refusal);
                }
                answer => return answer,
            }
        }
    }
}

fn report(running: &Running) -> LeaseReport {
    let progress = Progress {
        done: running.begun.elapsed().as_millis() as u64,
        of: running.takes.as_millis() as u64,
        note: String::new(),
    };
    LeaseReport {
        job: running.grant.job,
        lease: running.grant.lease,
        progress,
        log: vec!["still here".to_owned()],
    }
}
