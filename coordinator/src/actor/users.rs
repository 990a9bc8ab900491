//! Users' wishes and questions.

use super::message::Question;
use super::{Actor, Answer};
use crate::core::Command;

impl Actor {
    pub(super) fn obey(&mut self, command: &Command, answer: Answer<()>) {
        let outcome = self.execute(command).map(drop).map_err(Into::into);
        self.answer(answer, outcome);
    }

    pub(super) fn look(&mut self, question: Question) {
        let reply = question(&self.brain, self.now());
        self.outbox.answer(reply);
    }
}
