//! What workers say.

use std::collections::BTreeMap;

use vico::ids::WorkerId;
use vico::job::{
    Acquire, FailedAttempt, Grant, Introduction, LeaseReport, Release, Renewal, Renewed, RevokedLease,
    Session, Welcome,
};
use vico::protocol::Refusal;

use super::{Actor, Answer};
use crate::core::{Ask, Command, Event, Granted};

/// A worker's long poll.
pub(super) struct Waiting {
    worker: WorkerId,
    max: u32,
    answer: Answer<Vec<Grant>>,
}

impl Actor {
    pub(super) fn register(&mut self, who: &Introduction, answer: Answer<Welcome>) {
        if let Err(refusal) = self.execute(&Command::Register(who.clone())) {
            return self.answer(answer, Err(refusal.into()));
        }
        self.brain.floor.welcome(who, self.now());
        // A poll of an earlier session has nobody behind it, and who is still there asks again.
        self.end_polls(&who.session.worker);
        let welcome = Welcome {
            bucket: self.parts.store.url().to_owned(),
            lease_ttl: self.brain.settings.lease_ttl,
            revoked: self.brain.revoked(who),
        };
        tracing::info!(worker = %who.session.worker, device = who.device.name, "worker registered");
        self.answer(answer, Ok(welcome));
    }

    pub(super) fn acquire(&mut self, ask: &Acquire, answer: Answer<Vec<Grant>>) {
        if let Err(refusal) = self.brain.floor.hear(&ask.session, self.now()) {
            return self.answer(answer, Err(refusal.into()));
        }
        self.brain.floor.hint(&ask.session.worker, &ask.at_hand);
        self.place_again = true;
        self.waiting.push(Waiting {
            worker: ask.session.worker.clone(),
            max: ask.max,
            answer,
        });
    }

    /// Answers a worker's long polls with no jobs. Without an answer it would hear that the coordinator is shutting down.
    fn end_polls(&mut self, worker: &WorkerId) {
        let theirs = |waiting: &mut Waiting| waiting.worker == *worker;
        for waiting in self.waiting.extract_if(.., theirs) {
            _ = waiting.answer.send(Ok(Vec::new()));
        }
    }

    /// Gives waiting workers what there is for them.
    pub(super) fn place(&mut self) {
        if std::mem::take(&mut self.place_again) {
            self.give(Command::Place);
        }
        if std::mem::take(&mut self.copy_again) {
            self.give(Command::Copy);
        }
    }

    fn give(&mut self, command: fn(Vec<Ask>) -> Command) {
        self.waiting.retain(|waiting| !waiting.answer.is_closed());
        let ask = |waiting: &Waiting| Ask {
            worker: waiting.worker.clone(),
            max: waiting.max,
        };
        let asks = self.waiting.iter().map(ask).collect();
        let Ok(events) = self.execute(&command(asks)) else {
            return;
        };
        let mut grants: BTreeMap<_, Vec<Grant>> = BTreeMap::new();
        for event in &events {
            if let Some((worker, grant)) = self.grant(event) {
                grants.entry(worker).or_default().push(grant);
            }
        }
        for (worker, grants) in grants {
            // Where a worker has two polls open, the newer is the one it listens to.
            let Some(place) = self.waiting.iter().rposition(|waiting| waiting.worker == worker) else {
                continue;
            };
            let Waiting { answer, .. } = self.waiting.remove(place);
            self.hand_over(grants, answer);
        }
    }

    fn grant(&self, event: &Event) -> Option<(WorkerId, Grant)> {
        let Granted {
            job,
            lease,
            attempt,
            worker,
        } = event.granted()?;
        let known = self.brain.state.job(job)?;
        let grant = Grant {
            job,
            lease,
            attempt,
            sweep: self.brain.state.wanting(known).next()?.id.clone(),
            stage: known.stage,
            memory_halvings: known.memory_halvings(),
        };
        let label = self.brain.state.label(known);
        tracing::info!(sweep = %grant.sweep, job = label, %attempt, %worker, "lease granted");
        Some((worker, grant))
    }

    /// A grant that nobody is left to take comes back at once.
    fn hand_over(&mut self, grants: Vec<Grant>, answer: Answer<Vec<Grant>>) {
        let undelivered = self.undelivered.0.clone();
        self.outbox.answer(Box::new(move || {
            if let Err(Ok(grants)) = answer.send(Ok(grants)) {
                // The actor outlives its answers, or nobody needs them.
                _ = undelivered.send(grants);
            }
        }));
    }

    pub(super) fn take_back(&mut self, grants: &[Grant]) {
        for grant in grants {
            let lease = self.brain.state.live_lease(grant.job, grant.lease);
            let Ok(worker) = lease.map(|lease| lease.worker.clone()) else {
                continue;
            };
            let leases = vec![grant.lease];
            _ = self.execute(&Command::Release { worker, leases });
        }
    }

    /// Answered at once: a renewal tells nothing that the journal holds, and workers must not wait for an outage.
    pub(super) fn renew(&mut self, renewal: Renewal, answer: Answer<Renewed>) {
        let now = self.now();
        let outcome = self.brain.floor.hear(&renewal.session, now).map(|()| {
            let worker = self.brain.floor.worker(&renewal.session.worker);
            let mut renewed = Renewed {
                drain: worker.is_some_and(|worker| worker.draining),
                revoked: Vec::new(),
            };
            for report in renewal.reports {
                renewed.revoked.extend(self.renew_one(&renewal.session, report));
            }
            renewed
        });
        self.announce();
        _ = answer.send(outcome.map_err(Into::into));
    }

    fn renew_one(&mut self, session: &Session, report: LeaseReport) -> Option<RevokedLease> {
        let (now, lease) = (self.now(), report.lease);
        match self.brain.held(&session.worker, report.job, lease) {
            Ok(live) => {
                self.logs.append((report.job, live.attempt), &report.log, now);
                self.brain.floor.renew(lease, report.progress, now);
                None
            }
            Err(refusal) => {
                let reason = refusal.to_string();
                Some(RevokedLease { lease, reason })
            }
        }
    }

    pub(super) fn fail(&mut self, failed: FailedAttempt, answer: Answer<()>) {
        let now = self.now();
        let FailedAttempt {
            session,
            job,
            lease,
            failure,
            log,
        } = failed;
        let heard = self.brain.floor.hear(&session, now);
        let undecided = heard.and_then(|()| self.brain.undecided(&session.worker, (job, lease)));
        // Not where the worker will ask again with the same lines.
        if let Ok(live) = undecided {
            self.logs.append((job, live.attempt), &log, now);
        }
        let outcome = match undecided.map(drop) {
            Ok(()) => self.execute(&Command::Fail {
                worker: session.worker,
                job,
                lease,
                failure,
            }),
            Err(refusal) => Err(refusal),
        };
        self.answer(answer, outcome.map(drop).map_err(Refusal::from));
    }

    pub(super) fn release(&mut self, release: &Release, answer: Answer<()>) {
        let worker = release.session.worker.clone();
        let heard = self.brain.floor.hear(&release.session, self.now());
        let leases = if release.leaving {
            // It may not know of all: a grant was on its way to it, or a lease did not come back at the first try.
            let held = self.brain.state.leases_of(&worker);
            held.map(|(_, lease)| lease.id).collect()
        } else {
            release.leases.clone()
        };
        let command = Command::Release { worker, leases };
        let outcome = heard.and_then(|()| self.execute(&command));
        if release.leaving && outcome.is_ok() {
            let worker = &release.session.worker;
            tracing::info!(%worker, "worker left");
            self.end_polls(worker);
            self.brain.floor.dismiss(worker);
        }
        self.answer(answer, outcome.map(drop).map_err(Refusal::from));
    }
}
