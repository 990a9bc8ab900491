//! Events on their way into the journal, and the answers that wait for them.
//!
//! One group is written at a time; whatever is decided meanwhile makes up the next. The live state runs ahead of the
//! journal, so every answer, even to a mere question, waits until all that was applied before it is durable.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::message::Reply;
use crate::core::format::{encode_events, encode_snapshot};
use crate::core::{Event, State};
use crate::error::Error;
#[cfg(test)]
use crate::sabotage::{self, Sabotage};
use crate::scribe::{Group, Written};

pub(crate) struct Outbox {
    groups: mpsc::Sender<Group>,
    unwritten: Vec<Event>,
    /// Answers that tell of `unwritten`.
    waiting: Vec<Reply>,
    /// Answers that tell of the group being written.
    in_flight: Option<Vec<Reply>>,
    wants_snapshot: bool,
}

impl Outbox {
    /// `groups` must have room for one.
    pub(crate) fn new(groups: mpsc::Sender<Group>) -> Self {
        Self {
            groups,
            unwritten: Vec::new(),
            waiting: Vec::new(),
            in_flight: None,
            wants_snapshot: false,
        }
    }

    /// Takes in an event that was applied to the live state.
    pub(crate) fn record(&mut self, event: Event) {
        self.unwritten.push(event);
    }

    /// Sends an answer as soon as everything applied so far is durable.
    pub(crate) fn answer(&mut self, reply: Reply) {
        #[cfg(test)]
        if sabotage::is(Sabotage::AnswerBeforeDurable) {
            return reply();
        }
        if !self.unwritten.is_empty() {
            self.waiting.push(reply);
        } else if let Some(in_flight) = &mut self.in_flight {
            in_flight.push(reply);
        } else {
            reply();
        }
    }

    /// Whether everything is durable and answered.
    pub(crate) fn is_empty(&self) -> bool {
        self.unwritten.is_empty() && self.in_flight.is_none()
    }

    /// Begins to write what there is, unless a write is under way. `state` has all of it applied.
    pub(crate) fn flush(&mut self, state: &State) -> Result<(), Error> {
        if self.in_flight.is_some() || self.unwritten.is_empty() {
            return Ok(());
        }
        let events = std::mem::take(&mut self.unwritten);
        let snapshot = if std::mem::take(&mut self.wants_snapshot) {
            Some(
                encode_snapshot(&state.snapshot())
                    .map_err(Error::unwritable)?
                    .into(),
            )
        } else {
            None
        };
        let group = Group {
            frame: Bytes::from(encode_events(&events).map_err(Error::unwritable)?),
            snapshot,
        };
        let full = |_| Error::Task {
            task: "journal writer",
        };
        self.groups.try_send(group).map_err(full)?;
        self.in_flight = Some(std::mem::take(&mut self.waiting));
        Ok(())
    }

    /// The group under way is durable: its answers go out.
    pub(crate) fn written(&mut self, written: &Written) {
        self.wants_snapshot = written.wants_snapshot;
        for reply in self.in_flight.take().unwrap_or_default() {
            reply();
        }
    }
}
