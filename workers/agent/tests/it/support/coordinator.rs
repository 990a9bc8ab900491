//! A coordinator over real gRPC that hands out what a test gives it and remembers everything it is told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use vico::digest::Digest;
use vico::ids::{Attempt, JobKey, LeaseId, SweepId};
use vico::job::{
    Acquire, BlobRef, Completion, FailedAttempt, Failure, Grant, Introduction, LeaseReport, Release, Renewal,
    Renewed, RevokedLease, Session, Stage, Welcome,
};
use vico::protocol::{InvalidMessage, Refusal, RefusalKind};
use vico_proto::v1 as pb;
use vico_proto::v1::leases_server::{Leases, LeasesServer};

/// Long enough for a slow machine, short enough for a test that hangs.
const PATIENCE: Duration = Duration::from_mins(2);

/// The sweep of every job.
pub fn sweep() -> SweepId {
    "hello-3fa81c20".parse().unwrap()
}

/// Everything the worker has said.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub introductions: Vec<Introduction>,
    pub at_hand: Vec<Vec<Digest>>,
    pub reports: Vec<LeaseReport>,
    pub completions: Vec<Completion>,
    pub failures: Vec<FailedAttempt>,
    pub released: Vec<LeaseId>,
    pub left: bool,
    /// Registrations that were refused.
    pub turned_away: usize,
    /// Failures that were refused because a receipt was being written.
    pub put_off: usize,
}

impl Heard {
    pub fn outputs(&self, job: JobKey) -> Option<&BTreeMap<String, BlobRef>> {
        self.completions
            .iter()
            .find(|done| done.job == job)
            .map(|done| &done.outputs)
    }

    pub fn failure(&self, job: JobKey) -> Option<&Failure> {
        self.failures
            .iter()
            .find(|failed| failed.job == job)
            .map(|failed| &failed.failure)
    }

    /// Log lines of a job, in the order they arrived.
    pub fn log(&self, job: JobKey) -> Vec<String> {
        let renewals = self
            .reports
            .iter()
            .filter(|r| r.job == job)
            .flat_map(|r| r.log.clone());
        let failed = self
            .failures
            .iter()
            .filter(|f| f.job == job)
            .flat_map(|f| f.log.clone());
        let done = self
            .completions
            .iter()
            .filter(|c| c.job == job)
            .flat_map(|c| c.log.clone());
        renewals.chain(done).chain(failed).collect()
    }
}

#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches that tests turn one by one"
)]
struct State {
    heard: Heard,
    known: Option<Session>,
    waiting: VecDeque<Grant>,
    granted: u64,
    good: BTreeMap<LeaseId, JobKey>,
    revoked: Vec<RevokedLease>,
    drain: bool,
    silent: bool,
    /// Registrations are refused like this.
    turning_away: Option<Refusal>,
    /// Another process has the worker's name.
    superseded: bool,
    /// Registrations, and completions, are heard and not answered.
    held: (bool, bool),
    /// A registration is being held.
    waits: bool,
    /// The lease whose receipt is being written.
    committing: Option<LeaseId>,
}

#[derive(Clone, Default)]
struct Shared {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    bucket: String,
    ttl: Duration,
}

pub struct StubCoordinator {
    pub url: String,
    shared: Shared,
    server: JoinHandle<()>,
}

impl StubCoordinator {
    pub async fn start(bucket: &str, ttl: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared {
            bucket: bucket.to_owned(),
            ttl,
            ..Shared::default()
        };
        let service = LeasesServer::new(shared.clone());
        let server = tokio::spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        Self { url, shared, server }
    }

    /// Lets the worker have a job; answers its lease.
    pub fn grant(&self, job: JobKey, stage: Stage) -> LeaseId {
        self.grant_after(job, stage, 0)
    }

    /// As [`Self::grant`], for a job that ran out of memory before.
    pub fn grant_after(&self, job: JobKey, stage: Stage, memory_halvings: u32) -> LeaseId {
        let mut state = self.shared.lock();
        state.granted += 1;
        let lease = LeaseId(state.granted);
        state.waiting.push_back(Grant {
            job,
            lease,
            attempt: Attempt(1),
            sweep: sweep(),
            stage,
            memory_halvings,
        });
        drop(state);
        self.shared.changed.notify_waiters();
        lease
    }

    pub fn revoke(&self, lease: LeaseId, reason: &str) {
        let mut state = self.shared.lock();
        state.good.remove(&lease);
        let reason = reason.to_owned();
        state.revoked.push(RevokedLease { lease, reason });
    }

    /// The receipt of an attempt is being written, so that it cannot fail meanwhile.
    pub fn begin_commit(&self, lease: LeaseId) {
        self.shared.lock().committing = Some(lease);
    }

    /// The receipt is there, and the lease is gone with it.
    pub fn end_commit(&self) {
        let mut state = self.shared.lock();
        let lease = state.committing.take().unwrap();
        state.good.remove(&lease);
    }

    /// Forgets the session, as a restart does; the leases stay good.
    pub fn forget_session(&self) {
        self.shared.lock().known = None;
    }

    /// Answers nothing any more, or answers again.
    pub fn set_silent(&self, silent: bool) {
        self.shared.lock().silent = silent;
    }

    /// Refuses registrations, or welcomes them again.
    pub fn turn_away(&self, kind: Option<RefusalKind>) {
        let refusal = kind.map(|kind| Refusal::new(kind, "you may not work here"));
        self.shared.lock().turning_away = refusal;
    }

    /// Refuses whatever the worker says, as if another process had registered under its name.
    pub fn supersede(&self) {
        self.shared.lock().superseded = true;
    }

    /// Answers no registration, or answers again.
    pub fn hold_registrations(&self, hold: bool) {
        self.shared.lock().held.0 = hold;
    }

    pub async fn wait_for_a_held_registration(&self) {
        while !self.shared.lock().waits {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Hears completions without answering, or answers again.
    pub fn hold_completions(&self, hold: bool) {
        self.shared.lock().held.1 = hold;
    }

    pub fn ask_to_leave(&self) {
        self.shared.lock().drain = true;
    }

    pub fn heard(&self) -> Heard {
        self.shared.lock().heard.clone()
    }

    /// Waits until the worker has said what `enough` looks for.
    pub async fn wait_until(&self, enough: impl Fn(&Heard) -> bool) -> Heard {
        let wait = async {
            loop {
                let heard = self.heard();
                if enough(&heard) {
                    return heard;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("it never came; heard so far: {:#?}", self.heard()))
    }
}

impl Drop for StubCoordinator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The state, unless the coordinator is silent or does not know who asks.
    fn known(&self, session: &Session) -> Result<MutexGuard<'_, State>, Status> {
        let state = self.lock();
        if state.silent {
            return Err(Status::unavailable("silent"));
        }
        if state.superseded {
            return Err(Refusal::new(RefusalKind::Conflict, "another has your name").into());
        }
        if state.known.as_ref() != Some(session) {
            return Err(Refusal::new(RefusalKind::UnknownSession, "who are you").into());
        }
        Ok(state)
    }

    fn take(&self, session: &Session, max: usize) -> Result<Vec<Grant>, Status> {
        let mut state = self.known(session)?;
        let count = max.min(state.waiting.len());
        let grants: Vec<Grant> = state.waiting.drain(..count).collect();
        for grant in &grants {
            state.good.insert(grant.lease, grant.job);
        }
        Ok(grants)
    }
}

fn read<W, D: TryFrom<W, Error = InvalidMessage>>(request: Request<W>) -> Result<D, Status> {
    D::try_from(request.into_inner()).map_err(|invalid| Refusal::from(invalid).into())
}

fn stale(state: &State, lease: LeaseId) -> Result<(), Status> {
    if state.good.contains_key(&lease) {
        return Ok(());
    }
    Err(Refusal::new(RefusalKind::StaleLease, format!("lease {lease} is not good")).into())
}

#[tonic::async_trait]
impl Leases for Shared {
    async fn register(
        &self,
        request: Request<pb::RegisterRequest>,
    ) -> Result<Response<pb::RegisterReply>, Status> {
        let worker: Introduction = read(request)?;
        while self.lock().held.0 {
            self.lock().waits = true;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut state = self.lock();
        if state.silent {
            return Err(Status::unavailable("silent"));
        }
        if let Some(refusal) = state.turning_away.clone() {
            state.heard.turned_away += 1;
            return Err(refusal.into());
        }
        state.known = Some(worker.session.clone());
        let bad = worker
            .held
            .iter()
            .map(|held| held.lease)
            .filter(|lease| !state.good.contains_key(lease));
        let revoked = bad.collect();
        state.heard.introductions.push(worker);
        let welcome = Welcome {
            bucket: self.bucket.clone(),
            lease_ttl: self.ttl,
            revoked,
        };
        Ok(Response::new(welcome.into()))
    }

    async fn acquire(
        &self,
        request: Request<pb::AcquireRequest>,
    ) -> Result<Response<pb::AcquireReply>, Status> {
        let ask: Acquire = read(request)?;
        self.lock().heard.at_hand.push(ask.at_hand);
        let until = tokio::time::Instant::now() + ask.wait;
        loop {
            let changed = self.changed.notified();
            let grants = self.take(&ask.session, ask.max as usize)?;
            let late = tokio::time::Instant::now() >= until;
            if late || !grants.is_empty() {
                let grants = grants.into_iter().map(pb::Grant::from).collect();
                return Ok(Response::new(pb::AcquireReply { grants }));
            }
            let _ = tokio::time::timeout_at(until, changed).await;
        }
    }

    async fn renew(&self, request: Request<pb::RenewRequest>) -> Result<Response<pb::RenewReply>, Status> {
        let Renewal { session, reports } = read(request)?;
        let mut state = self.known(&session)?;
        let about = |revoked: &&RevokedLease| reports.iter().any(|report| report.lease == revoked.lease);
        let revoked = state.revoked.iter().filter(about).cloned().collect();
        let renewed = Renewed {
            revoked,
            drain: state.drain,
        };
        state.heard.reports.extend(reports);
        Ok(Response::new(renewed.into()))
    }

    async fn complete(
        &self,
        request: Request<pb::CompleteRequest>,
    ) -> Result<Response<pb::CompleteReply>, Status> {
        let completion: Completion = read(request)?;
        {
            let mut state = self.known(&completion.session)?;
            stale(&state, completion.lease)?;
            state.good.remove(&completion.lease);
            state.heard.completions.push(completion);
        }
        while self.lock().held.1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(Response::new(pb::CompleteReply {}))
    }

    async fn fail(&self, request: Request<pb::FailRequest>) -> Result<Response<pb::FailReply>, Status> {
        let failed: FailedAttempt = read(request)?;
        let mut state = self.known(&failed.session)?;
        if state.committing == Some(failed.lease) {
            state.heard.put_off += 1;
            return Err(Refusal::new(RefusalKind::Unavailable, "a receipt is being written").into());
        }
        stale(&state, failed.lease)?;
        state.good.remove(&failed.lease);
        state.heard.failures.push(failed);
        Ok(Response::new(pb::FailReply {}))
    }

    async fn release(
        &self,
        request: Request<pb::ReleaseRequest>,
    ) -> Result<Response<pb::ReleaseReply>, Status> {
        let Release {
            session,
            leases,
            leaving,
        } = read(request)?;
        let mut state = self.known(&session)?;
        for lease in leases {
            state.good.remove(&lease);
            state.heard.released.push(lease);
        }
        state.heard.left |= leaving;
        Ok(Response::new(pb::ReleaseReply {}))
    }
}
