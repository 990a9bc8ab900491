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
use crate::scribe::{self, Group, Told};

pub(crate) struct Outbox {
    groups: mpsc::Sender<Group>,
    unwritten: Vec<Event>,
    /// Answers that tell of `unwritten`.
    waiting: Vec<Reply>,
    /// Answers that tell of the group being written.
    in_flight: Option<Vec<Reply>>,
    /// The next group should bring a snapshot.
    wants_snapshot: bool,
    /// A snapshot should be written even if there is no next group.
    snapshot_due: bool,
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
            snapshot_due: false,
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
        if self.in_flight.is_some() || (self.unwritten.is_empty() && !self.snapshot_due) {
            return Ok(());
        }
        let group = self.group(state).map_err(Error::unwritable)?;
        self.groups.try_send(group).map_err(|_| scribe::lost())?;
        self.in_flight = Some(std::mem::take(&mut self.waiting));
        Ok(())
    }

    /// All that is unwritten, encoded.
    fn group(&mut self, state: &State) -> Result<Group, postcard::Error> {
        let events = std::mem::take(&mut self.unwritten);
        let frame = if events.is_empty() {
            Bytes::new()
        } else {
            encode_events(&events)?.into()
        };
        let snapshot = if self.wants_snapshot || self.snapshot_due {
            Some(encode_snapshot(&state.snapshot())?.into())
        } else {
            None
        };
        (self.wants_snapshot, self.snapshot_due) = (false, false);
        Ok(Group { frame, snapshot })
    }

    /// Takes in what the scribe tells: once a group is durable, its answers go out.
    pub(crate) fn hear(&mut self, told: Told) {
        match told {
            Told::Written { wants_snapshot } => {
                self.wants_snapshot = wants_snapshot;
                // The group may have brought the one that was due.
                self.snapshot_due &= wants_snapshot;
                for reply in self.in_flight.take().unwrap_or_default() {
                    reply();
                }
            }
            Told::SnapshotDue => self.snapshot_due = true,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_that_is_on_its_way_is_not_made_again() {
        let (groups, mut to_write) = mpsc::channel(1);
        let mut outbox = Outbox::new(groups);
        let state = State::default();
        outbox.hear(Told::SnapshotDue);
        outbox.flush(&state).unwrap();
        assert!(to_write.try_recv().unwrap().snapshot.is_some());
        // The journal had rested once more before the scribe came to that group.
        outbox.hear(Told::SnapshotDue);
        let wants_snapshot = false;
        outbox.hear(Told::Written { wants_snapshot });
        outbox.flush(&state).unwrap();
        assert!(to_write.try_recv().is_err(), "it was encoded twice");
    }
}
