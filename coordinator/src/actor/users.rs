//! Users' wishes and questions.

use vico::ids::WorkerId;

use super::message::Question;
use super::{Actor, Answer};
use crate::core::Command;

impl Actor {
    pub(super) fn obey(&mut self, command: Command, answer: Answer<()>) {
        let outcome = self.execute(&command).map(drop).map_err(Into::into);
        // Before the answer: who sent a plan gives its memory back to the system then.
        drop(command);
        self.answer(answer, outcome);
    }

    /// Not in the journal: who comes back after a restart is asked again.
    pub(super) fn drain(&mut self, worker: &WorkerId, answer: Answer<()>) {
        let outcome = self.brain.floor.drain(worker).map_err(Into::into);
        self.answer(answer, outcome);
    }

    pub(super) fn look(&mut self, question: Question) {
        let reply = question(&self.brain, self.now());
        self.outbox.answer(reply);
    }
}
