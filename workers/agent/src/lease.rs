//! The leases a worker holds. The renewal task reads them, the attempts fill them, the coordinator takes them away.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use vico::ids::LeaseId;
use vico::job::{Grant, HeldLease, LeaseReport, Progress};

/// Log lines kept while the coordinator does not answer; older ones are dropped and counted.
const MAX_LINES: usize = 1000;
/// Longest log line in bytes.
const MAX_LINE: usize = 4000;

/// One lease: what was granted, how far the attempt is, and whether the lease is still good.
#[derive(Debug)]
pub struct Lease {
    /// What the coordinator granted.
    pub grant: Grant,
    pending: Mutex<Pending>,
    /// When whoever does the job last said or asked something.
    sign: Mutex<Instant>,
    lost: CancellationToken,
    reason: OnceLock<String>,
}

/// What the next renewal carries.
#[derive(Debug, Default)]
struct Pending {
    progress: Progress,
    log: VecDeque<String>,
    dropped: usize,
}

impl Lease {
    /// A lease just granted.
    pub fn new(grant: Grant) -> Arc<Self> {
        Arc::new(Self {
            grant,
            pending: Mutex::default(),
            sign: Mutex::new(Instant::now()),
            lost: CancellationToken::new(),
            reason: OnceLock::new(),
        })
    }

    /// As named in calls.
    pub fn held(&self) -> HeldLease {
        let Grant {
            job, lease, attempt, ..
        } = self.grant;
        HeldLease { job, lease, attempt }
    }

    /// Says that the lease is no longer good. The first reason stays.
    pub fn lose(&self, reason: &str) {
        if self.reason.set(reason.to_owned()).is_ok() {
            tracing::warn!(job = %self.grant.job, lease = %self.grant.lease, reason, "lease lost");
        }
        self.lost.cancel();
    }

    /// Whether the lease is no longer good.
    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Resolves when the lease is no longer good.
    pub fn lost(&self) -> WaitForCancellationFuture<'_> {
        self.lost.cancelled()
    }

    /// Notes that whoever does the job is alive.
    pub fn sign(&self) {
        *lock(&self.sign) = Instant::now();
    }

    /// How long there was no sign of life.
    pub fn silent_for(&self) -> Duration {
        lock(&self.sign).elapsed()
    }

    /// Sets how far the attempt is.
    pub fn set_progress(&self, progress: Progress) {
        self.pending().progress = progress;
    }

    /// Adds a line for the attempt's log.
    pub fn log(&self, line: impl Into<String>) {
        let mut line = line.into();
        line.truncate(line.floor_char_boundary(MAX_LINE));
        self.pending().push(line);
    }

    /// Takes the log lines not yet delivered.
    pub fn take_log(&self) -> Vec<String> {
        self.pending().take_log()
    }

    /// Takes what a renewal says; [`Lease::put_back`] the log if it does not arrive.
    fn report(&self) -> LeaseReport {
        let mut pending = self.pending();
        LeaseReport {
            job: self.grant.job,
            lease: self.grant.lease,
            progress: pending.progress.clone(),
            log: pending.take_log(),
        }
    }

    /// Returns undelivered log lines to the front.
    pub fn put_back(&self, log: Vec<String>) {
        let mut pending = self.pending();
        let newer = std::mem::take(&mut pending.log);
        for line in log.into_iter().chain(newer) {
            pending.push(line);
        }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        lock(&self.pending)
    }
}

impl Pending {
    fn push(&mut self, line: String) {
        self.log.push_back(line);
        if self.log.len() > MAX_LINES {
            self.log.pop_front();
            self.dropped += 1;
        }
    }

    fn take_log(&mut self) -> Vec<String> {
        let dropped = std::mem::take(&mut self.dropped);
        let note =
            (dropped > 0).then(|| format!("({dropped} lines dropped while the coordinator did not answer)"));
        note.into_iter().chain(self.log.drain(..)).collect()
    }
}

/// All leases of a worker; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Leases(Arc<Mutex<BTreeMap<LeaseId, Arc<Lease>>>>);

impl Leases {
    /// Adds a lease just granted.
    pub fn add(&self, lease: &Arc<Lease>) {
        lock(&self.0).insert(lease.grant.lease, Arc::clone(lease));
    }

    /// Forgets a lease whose attempt has ended.
    pub fn forget(&self, lease: LeaseId) {
        lock(&self.0).remove(&lease);
    }

    /// Takes a lease away, as the coordinator says.
    pub fn revoke(&self, lease: LeaseId, reason: &str) {
        if let Some(lease) = lock(&self.0).get(&lease) {
            lease.lose(reason);
        }
    }

    /// The leases that are still good, by number.
    pub fn held(&self) -> Vec<HeldLease> {
        let leases = lock(&self.0);
        leases
            .values()
            .filter(|lease| !lease.is_lost())
            .map(|lease| lease.held())
            .collect()
    }

    /// What the next renewal says of each good lease.
    pub fn reports(&self) -> Vec<LeaseReport> {
        let leases = lock(&self.0);
        leases
            .values()
            .filter(|lease| !lease.is_lost())
            .map(|lease| lease.report())
            .collect()
    }

    /// Keeps the log lines of a renewal that did not arrive.
    pub fn put_back(&self, reports: Vec<LeaseReport>) {
        let leases = lock(&self.0);
        for report in reports {
            if let Some(lease) = leases.get(&report.lease) {
                lease.put_back(report.log);
            }
        }
    }
}

/// The data behind these locks is valid between any two statements, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use vico::digest::Digest;
    use vico::ids::{Attempt, JobKey};
    use vico::job::Stage;

    use super::*;

    fn lease(number: u64) -> Arc<Lease> {
        Lease::new(Grant {
            job: JobKey(Digest::of(&number.to_le_bytes())),
            lease: LeaseId(number),
            attempt: Attempt(1),
            sweep: "hello-3fa81c20".parse().unwrap(),
            stage: Stage::Train,
            memory_halvings: 0,
        })
    }

    #[test]
    fn log_lines_survive_a_renewal_that_does_not_arrive_in_their_order() {
        let (leases, lease) = (Leases::default(), lease(1));
        leases.add(&lease);
        lease.log("one");
        let reports = leases.reports();
        lease.log("two");
        leases.put_back(reports);
        assert_eq!(leases.reports()[0].log, ["one", "two"]);
        assert_eq!(leases.reports()[0].log, [""; 0]);
    }

    #[test]
    fn a_long_outage_costs_the_oldest_lines_and_says_how_many() {
        let lease = lease(1);
        for n in 0..MAX_LINES + 5 {
            lease.log(n.to_string());
        }
        let log = lease.take_log();
        assert_eq!(log[0], "(5 lines dropped while the coordinator did not answer)");
        assert_eq!((log[1].as_str(), log.len()), ("5", MAX_LINES + 1));
    }

    #[test]
    fn a_revoked_lease_is_neither_renewed_nor_held() {
        let leases = Leases::default();
        let (good, bad) = (lease(1), lease(2));
        leases.add(&good);
        leases.add(&bad);
        leases.revoke(LeaseId(2), "cancelled");
        leases.revoke(LeaseId(99), "never ours");
        assert!(bad.is_lost() && !good.is_lost());
        assert_eq!(leases.held(), [good.held()]);
        assert_eq!(leases.reports().len(), 1);
    }
}
