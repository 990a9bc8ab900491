//! The one task that owns the brain. It turns what happens into commands, events into journal groups, and answers when
//! they are durable. It decides nothing itself.

mod chores;
mod commits;
mod message;
mod outbox;
mod publishing;
mod tasks;
#[cfg(test)]
mod tests;
mod users;
mod workers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use vico::clock::Timestamp;
use vico::ids::SweepId;
use vico::job::Grant;

pub(crate) use message::{Answer, Message};
use message::{Ended, Input};
use outbox::Outbox;
use publishing::Publishing;
use workers::Waiting;

use crate::config::Parts;
use crate::core::{Brain, Command, Event, Refusal};
use crate::error::Error;
use crate::logbook::LogBook;
use crate::scribe::{self, Group, Told};

/// How often expiry and back-offs are looked at.
const TICK: Duration = Duration::from_millis(250);
/// Messages handled before a group is written and work is placed.
const BATCH: usize = 512;
/// How long a stopping actor waits for its last group.
const FAREWELL: Duration = Duration::from_secs(10);

/// The ends of the channels that the actor holds.
pub(crate) struct Channels {
    pub(crate) inbox: mpsc::Receiver<Message>,
    pub(crate) groups: mpsc::Sender<Group>,
    pub(crate) answers: mpsc::Receiver<Result<Told, Error>>,
    /// Grows with everything that people may want to see.
    pub(crate) changes: watch::Sender<u64>,
}

pub(crate) struct Actor {
    brain: Brain,
    parts: Parts,
    logs: Arc<LogBook>,
    inbox: mpsc::Receiver<Message>,
    answers: mpsc::Receiver<Result<Told, Error>>,
    changes: watch::Sender<u64>,
    outbox: Outbox,
    /// Sends to itself what a closed ear makes of a grant.
    undelivered: (
        mpsc::UnboundedSender<Vec<Grant>>,
        mpsc::UnboundedReceiver<Vec<Grant>>,
    ),
    waiting: Vec<Waiting>,
    /// Something happened that may let a waiting worker have a job.
    place_again: bool,
    /// Time has passed: what runs may be late by now.
    copy_again: bool,
    tasks: JoinSet<Ended>,
    publishing: BTreeMap<SweepId, Publishing>,
    tick: Interval,
    /// What the clock said at the last look.
    looked: Option<Timestamp>,
    stop: CancellationToken,
}

impl Actor {
    pub(crate) fn new(
        brain: Brain,
        parts: Parts,
        logs: Arc<LogBook>,
        channels: Channels,
        stop: CancellationToken,
    ) -> Self {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            brain,
            parts,
            logs,
            inbox: channels.inbox,
            answers: channels.answers,
            changes: channels.changes,
            outbox: Outbox::new(channels.groups),
            undelivered: mpsc::unbounded_channel(),
            waiting: Vec::new(),
            place_again: true,
            copy_again: false,
            tasks: JoinSet::new(),
            publishing: BTreeMap::new(),
            tick,
            looked: None,
            stop,
        }
    }

    /// Runs until told to stop, or until the journal cannot be written any more.
    pub(crate) async fn run(mut self, noticed: Vec<Event>) -> Result<(), Error> {
        self.watch_clock();
        self.take_in(noticed);
        self.outbox.flush(&self.brain.state)?;
        loop {
            let input = self.next_input().await;
            self.watch_clock();
            match input {
                Input::Stop => return self.finish().await,
                input => self.handle(input)?,
            }
            self.receive_waiting(BATCH);
            self.place();
            self.outbox.flush(&self.brain.state)?;
        }
    }

    async fn next_input(&mut self) -> Input {
        // In this order, so that a simulation's seed says all there is to say. The inbox comes last and is drained in
        // batches by `run`.
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Input::Stop,
            told = self.answers.recv() => Input::Told(told.unwrap_or_else(|| Err(scribe::lost()))),
            Some(ended) = self.tasks.join_next() => Input::Ended(ended),
            Some(grants) = self.undelivered.1.recv() => Input::Undelivered(grants),
            _ = self.tick.tick() => Input::Tick,
            message = self.inbox.recv() => message.map_or(Input::Stop, Input::Message),
        }
    }

    fn handle(&mut self, input: Input) -> Result<(), Error> {
        match input {
            Input::Message(message) => self.receive(message),
            Input::Told(told) => {
                self.outbox.hear(told?);
                self.announce();
            }
            Input::Ended(ended) => self.end(ended.map_err(|_| Error::Task {
                task: "receipts and results",
            })?),
            Input::Undelivered(grants) => self.take_back(&grants),
            Input::Tick => self.tick(),
            Input::Stop => {}
        }
        Ok(())
    }

    /// Takes in messages that wait already.
    fn receive_waiting(&mut self, most: usize) {
        for _ in 0..most {
            let Ok(message) = self.inbox.try_recv() else { break };
            self.receive(message);
        }
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Do(command, answer) => self.obey(command, answer),
            Message::Look(question) => self.look(question),
            Message::Drain(worker, answer) => self.drain(&worker, answer),
            Message::Register(introduction, answer) => self.register(&introduction, answer),
            Message::Acquire(acquire, answer) => self.acquire(&acquire, answer),
            Message::Renew(renewal, answer) => self.renew(renewal, answer),
            Message::Complete(completion, answer) => self.complete(&completion, answer),
            Message::Fail(failed, answer) => self.fail(failed, answer),
            Message::Release(release, answer) => self.release(&release, answer),
        }
    }

    fn end(&mut self, ended: Ended) {
        match ended {
            Ended::Commit {
                job,
                lease,
                outcome,
                log,
                answer,
            } => self.committed((job, lease), outcome, &log, answer),
            Ended::Publish {
                sweep,
                finished,
                outcome,
            } => self.published(sweep, finished, outcome),
        }
    }

    /// Decides, applies, and hands the events over for writing.
    fn execute(&mut self, command: &Command) -> Result<Vec<Event>, Refusal> {
        let events = self.brain.decide(command, self.now())?;
        self.take_in(events.clone());
        Ok(events)
    }

    fn take_in(&mut self, events: Vec<Event>) {
        for event in events {
            self.brain.state.apply(&event);
            self.log(&event);
            let bucket = self.parts.store.url();
            self.parts.traces.tell(|| self.brain.spans(&event, bucket));
            // Only a grant makes no job available to anybody.
            self.place_again |= !matches!(event, Event::AttemptStarted { .. });
            self.outbox.record(event);
        }
    }

    /// Answers once everything applied so far is durable.
    fn answer<T: Send + 'static>(&mut self, answer: Answer<T>, with: Result<T, vico::protocol::Refusal>) {
        self.outbox.answer(Box::new(move || _ = answer.send(with)));
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn announce(&self) {
        self.changes.send_modify(|change| *change += 1);
    }

    /// Writes the last group. Receipts and results being written are left to the next start.
    async fn finish(mut self) -> Result<(), Error> {
        let last = async {
            while !self.outbox.is_empty() {
                self.outbox.flush(&self.brain.state)?;
                match self.answers.recv().await {
                    Some(told) => self.outbox.hear(told?),
                    None => return Err(scribe::lost()),
                }
            }
            Ok(())
        };
        if let Ok(outcome) = tokio::time::timeout(FAREWELL, last).await {
            return outcome;
        }
        tracing::warn!("the last events were not written: the bucket does not answer");
        Ok(())
    }
}
