//! Outputs become receipts: asked for by the holder of the lease, done in a task of their own.

use vico::ids::{JobKey, LeaseId};
use vico::job::{Completion, Outputs, Receipt};
use vico::protocol::{Refusal, RefusalKind};

use super::message::Ended;
use super::tasks::survived;
use super::{Actor, Answer};
use crate::commit;
use crate::core::Command;
use crate::core::state::{Ending, Job};

impl Actor {
    /// Checks the outputs and writes the receipt in a task; the lease does not expire meanwhile.
    pub(super) fn complete(&mut self, done: &Completion, answer: Answer<()>) {
        let now = self.now();
        let (job, lease) = (done.job, done.lease);
        if let Err(refusal) = self.brain.floor.hear(&done.session, now) {
            return self.answer(answer, Err(refusal.into()));
        }
        let receipt = match self.brain.held(&done.session.worker, job, lease) {
            Ok(_) => self.outputs(job).zip(self.receipt(done)),
            // The answer to the first request was lost.
            Err(_) if self.brain.state.job(job).is_some_and(|job| won(job, lease)) => {
                return self.answer(answer, Ok(()));
            }
            Err(refusal) => return self.answer(answer, Err(refusal.into())),
        };
        let Some((outputs, receipt)) = receipt else {
            let refusal = Refusal::new(RefusalKind::Internal, format!("job {job} vanished"));
            return self.answer(answer, Err(refusal));
        };
        self.brain.floor.begin_commit(lease);
        let (store, log) = (self.parts.store.clone(), done.log.clone());
        self.tasks.spawn(async move {
            let outcome = match survived(commit::commit(&store, outputs, receipt)).await {
                Some(outcome) => outcome.map_err(Refusal::from),
                None => Err(broken_down(job)),
            };
            Ended::Commit {
                job,
                lease,
                outcome,
                log,
                answer,
            }
        });
    }

    fn outputs(&self, job: JobKey) -> Option<Outputs> {
        let state = &self.brain.state;
        Some(state.profile(state.job(job)?)?.outputs)
    }

    fn receipt(&self, done: &Completion) -> Option<Receipt> {
        let job = self.brain.state.job(done.job)?;
        let lease = job.lease(done.lease)?;
        let worker = self.brain.floor.worker(&done.session.worker)?;
        Some(Receipt {
            job: done.job,
            stage: job.stage,
            outputs: done.outputs.clone(),
            upstream: self.brain.state.upstream(job).map(|job| job.key).collect(),
            worker: done.session.worker.clone(),
            device: worker.device.clone(),
            lease: done.lease,
            attempt: lease.attempt,
            started: lease.since,
            finished: self.now(),
        })
    }

    pub(super) fn committed(
        &mut self,
        (job, lease): (JobKey, LeaseId),
        outcome: Result<Receipt, Refusal>,
        log: &[String],
        answer: Answer<()>,
    ) {
        let now = self.now();
        self.brain.floor.end_commit(lease, now);
        // Not where the worker will ask again with the same lines. An attempt that ended meanwhile has its log closed: a new sweep
        // may have found the receipt, or another attempt won.
        let asks_again = matches!(&outcome, Err(refusal) if refusal.kind == RefusalKind::Unavailable);
        if let Ok(live) = self.brain.state.live_lease(job, lease)
            && !asks_again
        {
            self.logs.append((job, live.attempt), log, now);
        }
        let outcome = outcome.and_then(|receipt| self.succeed(receipt));
        if let Err(refusal) = &outcome {
            // The worker is told too, but it may run where nobody looks.
            tracing::warn!(job = self.label(job), %lease, reason = refusal.message, "outputs not committed");
        }
        self.answer(answer, outcome);
    }

    fn succeed(&mut self, receipt: Receipt) -> Result<(), Refusal> {
        let (job, worker) = (receipt.job, receipt.worker.clone());
        // There is nothing to decide where another attempt's receipt was there before.
        let is_news = !self.execute(&Command::Commit(receipt))?.is_empty();
        if is_news {
            tracing::info!(job = self.label(job), %worker, "job succeeded");
        }
        Ok(())
    }

    fn label(&self, job: JobKey) -> Option<&str> {
        let state = &self.brain.state;
        state.job(job).map(|job| state.label(job))
    }
}

fn broken_down(job: JobKey) -> Refusal {
    tracing::error!(%job, "the commit of a job panicked");
    let message = format!("the commit of job {job} broke down, as the coordinator's log tells");
    Refusal::new(RefusalKind::Internal, message)
}

/// Whether the job is done under just this lease.
fn won(job: &Job, lease: LeaseId) -> bool {
    let won = |ended: &Option<_>| matches!(ended, Some((_, Ending::Succeeded)));
    job.try_of(lease).is_some_and(|tried| won(&tried.ended))
}
