//! What reaches the actor.

use tokio::sync::oneshot;
use tokio::task::JoinError;
use vico::clock::Timestamp;
use vico::ids::{JobKey, LeaseId, SweepId, WorkerId};
use vico::job::{
    Acquire, Completion, FailedAttempt, Grant, Introduction, Receipt, Release, Renewal, Renewed, Welcome,
};
use vico::protocol::Refusal;

use crate::core::{Brain, Command};
use crate::error::Error;
use crate::scribe::Told;

/// Where an answer goes. Nobody may be left to hear it.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, Refusal>>;

/// A question about the state; it answers by itself.
pub(crate) type Question = Box<dyn FnOnce(&Brain, Timestamp) -> Reply + Send>;

/// An answer that waits until what it tells is durable.
pub(crate) type Reply = Box<dyn FnOnce() + Send>;

/// A request from outside.
pub(crate) enum Message {
    /// A user's wish.
    Do(Command, Answer<()>),
    /// A question.
    Look(Question),
    /// A user wants a worker to leave.
    Drain(WorkerId, Answer<()>),
    /// A worker introduces itself.
    Register(Introduction, Answer<Welcome>),
    /// A worker wants work; the answer comes when there is some.
    Acquire(Acquire, Answer<Vec<Grant>>),
    /// A worker is alive.
    Renew(Renewal, Answer<Renewed>),
    /// A worker's outputs lie in the bucket.
    Complete(Completion, Answer<()>),
    /// An attempt failed.
    Fail(FailedAttempt, Answer<()>),
    /// A worker gives leases back.
    Release(Release, Answer<()>),
}

/// The end of a task that the actor started.
pub(crate) enum Ended {
    /// A receipt was written, or not.
    Commit {
        job: JobKey,
        lease: LeaseId,
        outcome: Result<Receipt, Refusal>,
        /// The attempt's last lines.
        log: Vec<String>,
        answer: Answer<()>,
    },
    /// A sweep's results were written, or not.
    Publish {
        sweep: SweepId,
        finished: Option<Timestamp>,
        /// `None` if that panicked.
        outcome: Option<Result<(), crate::publish::Error>>,
    },
}

/// Everything that can happen to the actor.
pub(crate) enum Input {
    Message(Message),
    Told(Result<Told, Error>),
    Ended(Result<Ended, JoinError>),
    /// Grants that nobody was left to take.
    Undelivered(Vec<Grant>),
    Tick,
    Stop,
}
