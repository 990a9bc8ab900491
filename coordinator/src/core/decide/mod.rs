//! Commands to events, by concern. Nothing here changes anything.

mod attempts;
mod cancelling;
mod submission;
mod workers;

use vico::clock::Timestamp;

use super::{Brain, Command, Event, Refusal};

impl Brain {
    /// What the command amounts to at `now`.
    pub(crate) fn decide(&self, command: &Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::AddSweep(sweep) => self.decide_add_sweep(sweep, now),
            Command::Register(introduction) => self.decide_register(introduction, now),
            Command::Place(asks) => Ok(self.decide_place(asks, now)),
            Command::Copy(asks) => Ok(self.decide_copies(asks, now)),
            Command::Commit(receipt) => self.decide_commit(receipt, now),
            Command::Fail {
                worker,
                job,
                lease,
                failure,
            } => self.decide_fail(worker, (*job, *lease), failure, now),
            Command::Release { worker, leases } => Ok(self.decide_release(worker, leases, now)),
            Command::Cordon(worker) => self.decide_cordon(worker),
            Command::Uncordon(worker) => self.decide_uncordon(worker),
            Command::Cancel(sweep) => self.decide_cancel(sweep, now),
            Command::Retry { sweep, class } => self.decide_retry(sweep, *class, now),
            Command::Published(sweep) => self.decide_published(sweep),
            Command::Tick => Ok(self.decide_tick(now)),
        }
    }
}
