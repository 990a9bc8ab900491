//! Who is there right now. Lost with the process; workers bring it back by speaking up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vico::clock::Timestamp;
use vico::digest::Digest;
use vico::ids::{LeaseId, WorkerId};
use vico::job::{Device, DeviceFacts, Introduction, Progress, Resources, Session};

use super::Refusal;
use super::state::Lease;

/// Earlier sessions remembered per worker, to tell a superseded process from an unknown one.
const KEPT_SESSIONS: usize = 8;
/// Hints kept per worker; the most recent come first.
const KEPT_HINTS: usize = 4096;
/// A worker silent for this many lease lives is forgotten.
const FORGOTTEN_AFTER: u32 = 20;

/// Connected workers and live leases.
#[derive(Debug)]
pub(crate) struct Floor {
    /// Silence counts from here: before it nobody could be heard, or only by an earlier process.
    opened: Timestamp,
    /// Leases below this number are older than `opened`, whatever the clock said when they were granted.
    first: LeaseId,
    lease_ttl: Duration,
    workers: BTreeMap<WorkerId, Worker>,
    vitals: BTreeMap<LeaseId, Vitals>,
    /// Leases whose receipts are being written, and how often at the same time: a worker that waits for too long asks again.
    /// Meanwhile they neither expire nor fail nor move with their worker's other jobs.
    committing: BTreeMap<LeaseId, u32>,
}

/// A worker that registered.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) session: String,
    former_sessions: Vec<String>,
    pub(crate) version: String,
    pub(crate) device: DeviceFacts,
    pub(crate) slots: u32,
    pub(crate) last_seen: Timestamp,
    /// A user wants it to leave.
    pub(crate) draining: bool,
    /// Networks it has loaded; models and jobs whose bytes it has.
    pub(crate) at_hand: BTreeSet<Digest>,
}

#[derive(Debug, Clone, Default)]
struct Vitals {
    renewed: Timestamp,
    progress: Progress,
    /// When it first told of work done, and how much there was.
    begun: Option<(Timestamp, u64)>,
}

impl Worker {
    /// Whether the worker could run a job with these demands.
    pub(crate) fn fits(&self, demand: &Resources) -> bool {
        let has_gpu = self.device.vram > 0;
        match demand.device {
            Device::Any => !has_gpu || self.device.vram >= demand.vram,
            Device::Gpu => has_gpu && self.device.vram >= demand.vram,
        }
    }
}

impl Floor {
    /// An empty floor.
    pub(crate) fn new(opened: Timestamp, lease_ttl: Duration) -> Self {
        Self {
            opened,
            first: LeaseId(0),
            lease_ttl,
            workers: BTreeMap::new(),
            vitals: BTreeMap::new(),
            committing: BTreeMap::new(),
        }
    }

    /// From `now` on everybody who was here at `before`, the time by the clock until then, has a full lease life to speak up,
    /// as after a restart. Who had been silent for longer stays so. `next` is the lease granted next.
    pub(crate) fn reopen(&mut self, next: LeaseId, (before, now): (Timestamp, Timestamp)) {
        (self.opened, self.first) = (now, next);
        for worker in self.workers.values_mut() {
            let silence = before.since(worker.last_seen);
            let was_present = silence <= self.lease_ttl;
            worker.last_seen = if was_present { now } else { now - silence };
        }
        for vitals in self.vitals.values_mut() {
            // It lies in the future where the clock was set back, and a pace across a jump is none.
            vitals.renewed = vitals.renewed.min(now);
            vitals.begun = None;
        }
    }

    pub(crate) fn workers(&self) -> impl Iterator<Item = (&WorkerId, &Worker)> {
        self.workers.iter()
    }

    /// How many workers there are.
    pub(crate) fn size(&self) -> usize {
        self.workers.len()
    }

    pub(crate) fn worker(&self, id: &WorkerId) -> Option<&Worker> {
        self.workers.get(id)
    }

    /// Whether the worker spoke up within the life of a lease.
    pub(crate) fn is_present(&self, worker: &Worker, now: Timestamp) -> bool {
        now.since(worker.last_seen) <= self.lease_ttl
    }

    /// Whether a session was pushed out by a newer process of the same name.
    pub(crate) fn is_superseded(&self, session: &Session) -> bool {
        let worker = self.workers.get(&session.worker);
        worker.is_some_and(|worker| worker.former_sessions.contains(&session.nonce))
    }

    /// Takes in a worker's introduction. A new session pushes out the one before.
    pub(crate) fn welcome(&mut self, who: &Introduction, now: Timestamp) {
        let before = self.workers.remove(&who.session.worker);
        let same = before
            .as_ref()
            .filter(|before| before.session == who.session.nonce);
        let draining = same.is_some_and(|before| before.draining);
        let (former_sessions, at_hand) = match before {
            Some(before) if before.session == who.session.nonce => (before.former_sessions, before.at_hand),
            Some(before) => {
                let mut former = before.former_sessions;
                former.push(before.session);
                let surplus = former.len().saturating_sub(KEPT_SESSIONS);
                (former.split_off(surplus), BTreeSet::new())
            }
            None => (Vec::new(), BTreeSet::new()),
        };
        let worker = Worker {
            session: who.session.nonce.clone(),
            former_sessions,
            version: who.version.clone(),
            device: who.device.clone(),
            slots: who.slots,
            last_seen: now,
            draining,
            at_hand,
        };
        self.workers.insert(who.session.worker.clone(), worker);
        for held in &who.held {
            self.vitals.entry(held.lease).or_default().renewed = now;
        }
    }

    /// Notes that a worker spoke; refuses who did not register.
    pub(crate) fn hear(&mut self, session: &Session, now: Timestamp) -> Result<(), Refusal> {
        if self.is_superseded(session) {
            return Err(Refusal::Superseded(session.worker.clone()));
        }
        let worker = self.workers.get_mut(&session.worker);
        let worker = worker.filter(|worker| worker.session == session.nonce);
        let worker = worker.ok_or_else(|| Refusal::UnknownSession(session.worker.clone()))?;
        worker.last_seen = now;
        Ok(())
    }

    /// Notes what a worker has at hand.
    pub(crate) fn hint(&mut self, worker: &WorkerId, at_hand: &[Digest]) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.at_hand = at_hand.iter().take(KEPT_HINTS).copied().collect();
        }
    }

    /// Gives a worker no more work and tells it to leave, which it learns when it renews.
    pub(crate) fn drain(&mut self, worker: &WorkerId) -> Result<(), Refusal> {
        let known = self
            .workers
            .get_mut(worker)
            .ok_or_else(|| Refusal::UnknownWorker(worker.to_string()))?;
        known.draining = true;
        Ok(())
    }

    /// Prolongs a lease that is known to be live.
    pub(crate) fn renew(&mut self, lease: LeaseId, progress: Progress, now: Timestamp) {
        let vitals = self.vitals.entry(lease).or_default();
        vitals.renewed = now;
        if progress.done > 0 {
            vitals.begun.get_or_insert((now, progress.done));
        }
        vitals.progress = progress;
    }

    /// How long the attempt under a lease needs for what is left, at the pace it has shown from its first report of work done
    /// to its last one. One that has not moved since is taken to have been about to.
    pub(crate) fn left(&self, lease: LeaseId) -> Option<Duration> {
        let vitals = self.vitals.get(&lease)?;
        let (since, from) = vitals.begun?;
        let took = vitals.renewed.since(since);
        let done = vitals.progress.done.saturating_sub(from).max(1);
        let left = vitals.progress.of.saturating_sub(vitals.progress.done);
        Duration::try_from_secs_f64(took.as_secs_f64() * left as f64 / done as f64).ok()
    }

    /// How far the attempt under a lease has come.
    pub(crate) fn progress(&self, lease: LeaseId) -> Option<&Progress> {
        self.vitals.get(&lease).map(|vitals| &vitals.progress)
    }

    /// When a live lease ends unless it is renewed; `None` while its receipt is being written.
    pub(crate) fn deadline(&self, lease: &Lease) -> Option<Timestamp> {
        if self.is_committing(lease) {
            return None;
        }
        let renewed = self
            .vitals
            .get(&lease.id)
            .map_or(Timestamp(0), |vitals| vitals.renewed);
        let granted = if lease.id < self.first {
            self.opened
        } else {
            lease.since
        };
        Some(renewed.max(granted).max(self.opened) + self.lease_ttl)
    }

    /// Whether the lease's receipt is being written. Its job may be done at any moment: nobody else should begin it.
    pub(crate) fn is_committing(&self, lease: &Lease) -> bool {
        self.committing.contains_key(&lease.id)
    }

    /// Keeps a lease alive while its receipt is written.
    pub(crate) fn begin_commit(&mut self, lease: LeaseId) {
        *self.committing.entry(lease).or_default() += 1;
    }

    /// The receipt is written, or could not be. The holder gets a full lease life to ask again.
    pub(crate) fn end_commit(&mut self, lease: LeaseId, now: Timestamp) {
        if let Some(writes) = self.committing.get_mut(&lease) {
            *writes -= 1;
            if *writes == 0 {
                self.committing.remove(&lease);
            }
        }
        if let Some(vitals) = self.vitals.get_mut(&lease) {
            vitals.renewed = now;
        }
    }

    /// A worker says goodbye.
    pub(crate) fn dismiss(&mut self, worker: &WorkerId) {
        self.workers.remove(worker);
    }

    /// Forgets workers that have long been silent and leases that have ended.
    pub(crate) fn tidy(&mut self, is_live: impl Fn(LeaseId) -> bool, now: Timestamp) {
        let patience = self.lease_ttl * FORGOTTEN_AFTER;
        self.workers
            .retain(|_, worker| now.since(worker.last_seen) <= patience);
        self.vitals.retain(|&lease, _| is_live(lease));
    }
}
