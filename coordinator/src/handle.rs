//! The async face of the actor: cheap to clone, domain types in and out.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use vico::clock::Timestamp;
use vico::ids::WorkerId;
use vico::job::{
    Acquire, Completion, FailedAttempt, Grant, Introduction, Release, Renewal, Renewed, Welcome,
};
use vico::protocol::{Refusal, RefusalKind};

use crate::actor::{Answer, Message};
use crate::core::{Brain, Command};
use crate::submit::Turns;

/// Longest long poll, whatever a worker asks for.
const LONGEST_POLL: Duration = Duration::from_mins(1);

/// Talks to the actor.
#[derive(Clone)]
pub(crate) struct Handle {
    inbox: mpsc::Sender<Message>,
    changes: watch::Receiver<u64>,
    /// For those who submit: all of them come by this or a clone of it.
    pub(crate) turns: Turns,
}

impl Handle {
    pub(crate) fn new(inbox: mpsc::Sender<Message>, changes: watch::Receiver<u64>) -> Self {
        let turns = Turns::default();
        Self {
            inbox,
            changes,
            turns,
        }
    }

    /// Wakes up whenever there may be something new to see.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Carries out a user's wish; once it answers, the wish is durable.
    pub(crate) async fn command(&self, command: Command) -> Result<(), Refusal> {
        self.ask(|answer| Message::Do(command, answer)).await
    }

    /// Asks a question; the answer tells of nothing that could still be lost.
    pub(crate) async fn look<T, Q>(&self, question: Q) -> Result<T, Refusal>
    where
        T: Send + 'static,
        Q: FnOnce(&Brain, Timestamp) -> T + Send + 'static,
    {
        let ask = |answer: Answer<T>| {
            Message::Look(Box::new(move |brain, now| {
                let seen = question(brain, now);
                Box::new(move || _ = answer.send(Ok(seen)))
            }))
        };
        self.ask(ask).await
    }

    pub(crate) async fn drain(&self, worker: WorkerId) -> Result<(), Refusal> {
        self.ask(|answer| Message::Drain(worker, answer)).await
    }

    pub(crate) async fn register(&self, introduction: Introduction) -> Result<Welcome, Refusal> {
        self.ask(|answer| Message::Register(introduction, answer)).await
    }

    /// Waits for work, but no longer than the worker wishes.
    pub(crate) async fn acquire(&self, acquire: Acquire) -> Result<Vec<Grant>, Refusal> {
        let wait = acquire.wait.min(LONGEST_POLL);
        let (answer, mut granted) = oneshot::channel();
        self.send(Message::Acquire(acquire, answer)).await?;
        if let Ok(answer) = tokio::time::timeout(wait, &mut granted).await {
            return answer.map_err(|_| stopped())?;
        }
        // From here on a grant is undeliverable and goes back; one that has just come is taken.
        granted.close();
        granted.try_recv().unwrap_or_else(|_| Ok(Vec::new()))
    }

    pub(crate) async fn renew(&self, renewal: Renewal) -> Result<Renewed, Refusal> {
        self.ask(|answer| Message::Renew(renewal, answer)).await
    }

    pub(crate) async fn complete(&self, completion: Completion) -> Result<(), Refusal> {
        self.ask(|answer| Message::Complete(completion, answer)).await
    }

    pub(crate) async fn fail(&self, failed: FailedAttempt) -> Result<(), Refusal> {
        self.ask(|answer| Message::Fail(failed, answer)).await
    }

    pub(crate) async fn release(&self, release: Release) -> Result<(), Refusal> {
        self.ask(|answer| Message::Release(release, answer)).await
    }

    async fn ask<T>(&self, message: impl FnOnce(Answer<T>) -> Message) -> Result<T, Refusal> {
        let (answer, heard) = oneshot::channel();
        self.send(message(answer)).await?;
        heard.await.map_err(|_| stopped())?
    }

    async fn send(&self, message: Message) -> Result<(), Refusal> {
        self.inbox.send(message).await.map_err(|_| stopped())
    }
}

/// The actor is gone, or goes.
fn stopped() -> Refusal {
    Refusal::new(RefusalKind::Unavailable, "the coordinator is shutting down")
}
